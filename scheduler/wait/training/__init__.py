"""Simulated halls, and the shipped trees that are grown on them."""
