"""Tickets on paper: what stands on a slip, as text and as a thermal printer wants it."""
