"""Cases 办件: what citizens asked departments to do, and how far that has come."""
