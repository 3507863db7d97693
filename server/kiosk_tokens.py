"""The tokens that kiosks bear: made once, stored as their SHA-256, looked up once a minute.

They are no JWTs: those cannot be taken back for longer than they are remembered to have ended. A
kiosk's is remembered for a minute by each process, and forgotten by all as soon as it is revoked.
"""

import secrets

from models import kiosks
from models.digests import digest_of
from models.sessions import PersonKind
from server.auth import Principal, Tokens

PREFIX = "kiosk_"
# For so long nobody looks it up again; `last_seen_at` is right to as much.
REMEMBERED_S = 60
_SCHEME = len("Bearer ")
_LONGEST = 100


def new_token() -> str:
    """A token for a new kiosk."""
    return PREFIX + secrets.token_urlsafe(32)


def names_kiosk(authorization: str) -> bool:
    """Whether this header can be a kiosk's."""
    return authorization[_SCHEME:].startswith(PREFIX) and len(authorization) <= _LONGEST


async def known_kiosk(token: str, tokens: Tokens) -> None:
    """Let `tokens` know whose token this is, if it is a kiosk's in service."""
    if (kiosk := await kiosks.seen(digest_of(token))) is not None:
        who = Principal(PersonKind.KIOSK, kiosk.id, kiosk.id, halls=frozenset({kiosk.hall}))
        tokens.learn(token, who, for_s=REMEMBERED_S)
