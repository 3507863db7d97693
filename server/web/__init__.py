"""Pages and documentation for people."""
