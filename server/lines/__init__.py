"""What a manager decides about a line: whether it gives out numbers, and where its people go."""
