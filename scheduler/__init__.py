"""Who, when, where: pure decisions. Facts and `now` in, choice out; no I/O, none of our rooms."""
