"""Commands for who runs the city's server: keys, the audit log, the first account."""
