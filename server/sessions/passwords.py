"""Passwords of staff: hashed with argon2, checked off the event loop, made up for one use."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's least: 19 MiB, two passes. Hashing runs in threads, a few at a time.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
AT_ONCE = asyncio.Semaphore(4)
# Checked for unknown names, so that they take as long as known ones.
NOBODYS = HASHER.hash("nobody has this password")
# What is read from a slip of paper: nothing that looks like something else.
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"


async def matches(stored: str, password: str) -> bool:
    """Whether it is the password; takes some 30 ms of a thread. Hold AT_ONCE meanwhile."""
    return await asyncio.to_thread(_matches, stored, password)


async def hashed(password: str) -> str:
    """What to store of a password."""
    async with AT_ONCE:
        return await asyncio.to_thread(HASHER.hash, password)


def made_up() -> str:
    """A new password of 79 random bits, to be typed once."""
    groups = ("".join(secrets.choice(_READABLE) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def _matches(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
