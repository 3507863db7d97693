"""Departures 出发: who says where she is, is told when to set off, and of a better hall."""
