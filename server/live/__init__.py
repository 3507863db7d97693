"""What is happening now: projected by the worker, kept in every API process, pushed to sockets."""
