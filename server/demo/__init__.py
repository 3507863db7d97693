"""The demo city: its clock, its first rows and what it says when it runs."""
