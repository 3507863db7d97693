"""Kiosks: machines of a hall that give out numbers, made, listed and revoked."""
