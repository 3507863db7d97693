"""The public board of a hall."""
