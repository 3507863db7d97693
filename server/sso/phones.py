"""Signing a browser in with the phone: the browser shows a code, the mini-program confirms it.

The way of RFC 8628 (section 5 for its dangers): the code is short-lived and works once, phones may
try few of them, and the phone says which department's system is asking before it confirms.
"""

import secrets
import time
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import msgspec
import redis.asyncio as aioredis
from uuid_utils.compat import uuid7

from models.database import rows, transaction
from models.joined import held
from models.proving import door_of
from models.sessions import PersonKind
from server.auth import Principal
from server.errors import NotFound
from server.sso.browsers import BROWSER_CHANNEL
from server.sso.clients import Client

WAIT_S = 180
# Consonants only: no words, no digits to mistake for them (RFC 8628, 6.1). 20^8 codes.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH = 8
Progress = Literal["waiting", "signed_in", "refused", "expired"]


class Shown(msgspec.Struct, frozen=True):
    """What a browser shows: the code, until when (Unix time), and how far it has come."""

    code: str
    until: float
    progress: Progress = "waiting"
    sign_in_id: UUID | None = None
    auth_time: float = 0.0
    methods: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True):
    """What the phone is asked: which browser wants to sign in where."""

    browser: str
    client: str
    client_name: str
    client_name_en: str | None
    device: str
    asked_at: datetime


_read_shown = msgspec.json.Decoder(Shown).decode
_read_question = msgspec.json.Decoder(Question).decode


async def show_code(browser: str, client: Client, device: str, valkey: aioredis.Redis) -> Shown:
    """The code for this browser to show; the same again while it has a minute left."""
    shown = await look(browser, valkey)
    if shown and shown.progress == "waiting" and shown.until > time.time() + WAIT_S / 3:
        kept = await valkey.get(_question_key(shown.code))
        if kept and _read_question(kept).client == client.code:
            return shown
    code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    question = Question(
        browser, client.code, client.name, client.name_en, device, datetime.now(UTC)
    )
    shown = Shown(code, time.time() + WAIT_S)
    await valkey.set(_question_key(code), msgspec.json.encode(question), ex=WAIT_S)
    await valkey.set(_browser_key(browser), msgspec.json.encode(shown), ex=WAIT_S)
    return shown


async def look(browser: str, valkey: aioredis.Redis) -> Shown | None:
    """How far the sign-in of this browser has come; None when its code is over."""
    kept = await valkey.get(_browser_key(browser))
    return _read_shown(kept) if kept else None


async def forget(browser: str, valkey: aioredis.Redis) -> None:
    """Forget the code that this browser shows."""
    await valkey.delete(_browser_key(browser))


async def take_sign_in(browser: str, valkey: aioredis.Redis) -> Shown | None:
    """The confirmed sign-in of this browser, once."""
    shown = await look(browser, valkey)
    if shown is None or shown.progress != "signed_in":
        return None
    kept = await valkey.getdel(_browser_key(browser))
    return _read_shown(kept) if kept else None


async def read_question(code: str, valkey: aioredis.Redis) -> Question:
    """What the code stands for. Raises NotFound when it is unknown, used or expired."""
    kept = await valkey.get(_question_key(_plain(code)))
    if kept is None:
        raise NotFound
    return _read_question(kept)


async def confirm(code: str, who: Principal, valkey: aioredis.Redis) -> None:
    """Sign the browser in as this citizen, as a sign-in of its own. Raises NotFound."""
    question = await _spend(code, valkey)
    channel = await _channel(who.sign_in_id)
    sign_in_id = uuid7()
    now = datetime.now(UTC)
    async with transaction() as tx:
        await tx.run(
            """
            INSERT INTO sign_in (id, person_kind, person_id, channel, device, started_at, link_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            sign_in_id,
            PersonKind.CITIZEN.value,
            await held(tx, who.id),
            BROWSER_CHANNEL,
            question.device,
            now,
            # The browser counts for what the phone's own channel has proven.
            await door_of(tx, who.sign_in_id),
        )
    # `mca`: confirmed over a second channel (RFC 8176).
    signed_in = Shown(
        _plain(code),
        time.time() + WAIT_S,
        "signed_in",
        sign_in_id,
        now.timestamp(),
        (channel, "mca"),
    )
    await _tell(question.browser, signed_in, valkey)


async def refuse(code: str, valkey: aioredis.Redis) -> None:
    """Do not sign the browser in, and let it know. Raises NotFound."""
    question = await _spend(code, valkey)
    await _tell(question.browser, Shown(_plain(code), time.time() + WAIT_S, "refused"), valkey)


async def _spend(code: str, valkey: aioredis.Redis) -> Question:
    kept = await valkey.getdel(_question_key(_plain(code)))
    if kept is None:
        raise NotFound
    return _read_question(kept)


async def _tell(browser: str, shown: Shown, valkey: aioredis.Redis) -> None:
    """Leave word for the browser, unless it shows another code by now."""
    now_shown = await look(browser, valkey)
    if now_shown is not None and now_shown.code == shown.code:
        await valkey.set(_browser_key(browser), msgspec.json.encode(shown), ex=WAIT_S)


async def _channel(sign_in_id: UUID) -> str:
    found = await rows("SELECT channel FROM sign_in WHERE id = $1", sign_in_id)
    return str(found[0]["channel"])


def spaced(code: str) -> str:
    """A code as people read it: in two halves."""
    return f"{code[: _LENGTH // 2]}-{code[_LENGTH // 2 :]}"


def _plain(code: str) -> str:
    """A code as it is stored, however it was typed; nothing for what can be none."""
    letters = code.replace("-", "").replace(" ", "").upper()
    is_code = len(letters) == _LENGTH and set(letters) <= set(_LETTERS)
    return letters if is_code else ""


def _question_key(code: str) -> str:
    return f"sso:browser-code:{code}"


def _browser_key(browser: str) -> str:
    return f"sso:browser:{browser}"
