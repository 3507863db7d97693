"""Visits 联办: bundles of items, one sign-in for several, the way from counter to counter."""
