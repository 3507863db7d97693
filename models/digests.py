"""What is stored of secrets that we made ourselves: long ones, which nobody can guess from it."""

import hashlib


def digest_of(secret: str) -> str:
    """Its SHA-256, as 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()
