"""Requests on their way through our pages, and what the next step of one is."""

import secrets
import time
from enum import Enum

import msgspec
import redis.asyncio as aioredis

from models.sso import Fact
from server.sso.asking import Asked
from server.sso.browsers import SignedIn

PENDING_S = 600


class Pending(msgspec.Struct, frozen=True):
    """A checked request of one browser. `began` is Unix time."""

    asked: Asked
    browser: str
    began: float


class Step(Enum):
    """What a request waits for."""

    SIGN_IN = "sign_in"
    ANOTHER_PERSON = "another_person"
    LEVEL = "level"
    CONSENT = "consent"
    NOTHING = "nothing"


_read = msgspec.json.Decoder(Pending).decode


def next_step(
    asked: Asked,
    began: float,
    who: SignedIn | None,
    *,
    subject: str | None,
    consented: frozenset[Fact],
    facts: tuple[Fact, ...],
    agreed: bool = False,
) -> Step:
    """What stands between this request and its code.

    `subject` is hers at this client, `consented` what she lets it know already, `agreed` whether
    she has just said so.
    """
    if who is None or _too_old(asked, began, who.session.auth_time):
        return Step.SIGN_IN
    if asked.subject is not None and asked.subject != subject:
        return Step.ANOTHER_PERSON
    if who.level < asked.level:
        return Step.LEVEL
    if not agreed and (asked.again or not consented.issuperset(facts)):
        return Step.CONSENT
    return Step.NOTHING


def _too_old(asked: Asked, began: float, auth_time: float) -> bool:
    if asked.fresh:
        return auth_time < began
    return asked.max_age_s is not None and auth_time < began - asked.max_age_s


async def keep(asked: Asked, browser: str, valkey: aioredis.Redis) -> str:
    """Remember a request of this browser for PENDING_S seconds; its id."""
    request_id = secrets.token_urlsafe(24)
    pending = Pending(asked, browser, time.time())
    await valkey.set(_key(request_id), msgspec.json.encode(pending), ex=PENDING_S)
    return request_id


async def find(request_id: str, browser: str | None, valkey: aioredis.Redis) -> Pending | None:
    """The request of that id, if this browser began it."""
    kept = await valkey.get(_key(request_id))
    if kept is None or browser is None:
        return None
    pending = _read(kept)
    return pending if pending.browser == browser else None


async def finish(request_id: str, valkey: aioredis.Redis) -> bool:
    """Take the request away; False when somebody else just did: it is answered once."""
    return bool(await valkey.delete(_key(request_id)))


def _key(request_id: str) -> str:
    return f"sso:request:{request_id}"
