"""Counters from the clerk's side: open, call the next person, serve."""
