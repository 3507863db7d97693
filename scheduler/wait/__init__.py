"""How long, how sure: waits learned from events. Pure, and numpy alone."""
