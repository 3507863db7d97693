"""What the city's administrators keep: halls, items, staff, and the files they come from."""
