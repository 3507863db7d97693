"""What departments' systems ask for by themselves, with their own credentials."""
