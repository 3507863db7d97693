"""Signing a member of staff in by user name and password."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.database import rows, transaction
from models.sessions import PersonKind
from models.staff import Role
from server.auth import Principal, Tokens
from server.sessions import tokens as token_pairs
from server.sessions.refusals import WrongPassword

# OWASP's least: 19 MiB, two passes. Hashing runs in threads, a few at a time.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_AT_ONCE = asyncio.Semaphore(4)
# Checked for unknown names, so that they take as long as known ones.
_NOBODYS = HASHER.hash("nobody has this password")


async def sign_in(username: str, password: str, tokens: Tokens, *, device: str) -> token_pairs.Pair:
    """Start a sign-in for a member of staff. Raises WrongPassword."""
    found = await rows(
        "SELECT id, password_hash, role, halls FROM staff WHERE username = $1 AND NOT disabled",
        username,
    )
    stored = found[0]["password_hash"] if found else _NOBODYS
    async with _AT_ONCE:
        right = await asyncio.to_thread(_matches, stored, password)
    if not found or not right:
        raise WrongPassword
    row = found[0]
    who = Principal(
        kind=PersonKind.STAFF,
        id=row["id"],
        sign_in_id=token_pairs.new_sign_in_id(),
        role=Role(row["role"]),
        halls=frozenset(row["halls"]),
    )
    async with transaction() as tx:
        return await token_pairs.start(tx, who, tokens, channel="password", device=device)


def _matches(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
