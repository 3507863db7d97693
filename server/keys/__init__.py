"""The keys that sign access tokens, and files of secrets written whole."""
