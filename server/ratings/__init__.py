"""Ratings 好差评: how people found their service, and what the hall answers where it was bad."""
