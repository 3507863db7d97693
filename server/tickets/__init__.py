"""Tickets from the citizen's side: take a number, follow it, give it up."""
