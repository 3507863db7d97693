"""What we ask of the world outside: platforms, stores, processes. Vendor words stay in here."""
