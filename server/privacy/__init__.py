"""Personal data: the keys that seal it, sealing it anew, and the log of who looked at it."""
