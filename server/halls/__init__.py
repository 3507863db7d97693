"""Halls: who they are, where, when open, how busy; and the items they handle."""
