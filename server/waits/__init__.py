"""Waits 等候: what people are told about them, and how true it was."""
