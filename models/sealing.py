"""Sealing personal data: AES-256-GCM under one of several keys, and blind indexes to look it up by.

Pure: no rows and no files here. A sealed text is

    version (1 byte) ‖ key id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)

and authenticates, beside itself, the header, the owner's id and the name of the field: a sealed
text moved to another row or column does not open. Nonces are random, so one key is good for 2³²
texts (NIST SP 800-38D, 8.3). What is sealed shows its length in bytes, and nothing else.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION: Final = b"\x01"
KEY_BYTES: Final = 32
HEADER_BYTES: Final = 1 + 8
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


class NotOpened(Exception):
    """A sealed text was changed, moved from another row or column, or is none at all."""


class KeyMissing(NotOpened):
    """A sealed text names a key that the ring does not have; `key_id` says which."""

    def __init__(self, key_id: str) -> None:
        super().__init__(key_id)
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class PersonalKey:
    """A key that seals; `made` tells which of two is newer."""

    id: str
    made: datetime
    secret: bytes = field(repr=False)

    @property
    def header(self) -> bytes:
        """What everything sealed with this key begins with."""
        return VERSION + bytes.fromhex(self.id)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The first key seals, all open; `index_secret` makes blind indexes and signatures."""

    keys: tuple[PersonalKey, ...]
    index_secret: bytes = field(repr=False)

    @property
    def first(self) -> PersonalKey:
        """The key that seals now."""
        return self.keys[0]

    def find(self, key_id: str) -> PersonalKey:
        """The key of that id. Raises KeyMissing."""
        for key in self.keys:
            if key.id == key_id:
                return key
        raise KeyMissing(key_id)

    def now(self) -> "KeyRing":
        """This ring: one that never changes is its own source of keys."""
        return self

    def anew(self) -> "KeyRing":
        """This ring."""
        return self


class Keys(Protocol):
    """Where a sealer gets its keys: a ring, or a file that is followed while keys rotate."""

    def now(self) -> KeyRing:
        """The keys as they are known."""
        ...

    def anew(self) -> KeyRing:
        """The keys as they are, after one was met that was not known."""
        ...


class Sealer:
    """Seals and opens personal data with the keys as they are at that moment."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def seal(self, text: str, *, field: str, owner: UUID) -> bytes:
        """Seal a text for one field (`citizen.name`) of one owner."""
        key = self._keys.now().first
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound = _bound(key.header, field, owner)
        return key.header + nonce + AESGCM(key.secret).encrypt(nonce, text.encode(), bound)

    def open(self, sealed: bytes, *, field: str, owner: UUID) -> str:
        """Open what was sealed for that field of that owner. Raises NotOpened, KeyMissing."""
        key_id = key_of(sealed)
        try:
            key = self._keys.now().find(key_id)
        except KeyMissing:
            key = self._keys.anew().find(key_id)
        nonce = sealed[HEADER_BYTES : HEADER_BYTES + _NONCE_BYTES]
        try:
            text = AESGCM(key.secret).decrypt(
                nonce, sealed[HEADER_BYTES + _NONCE_BYTES :], _bound(key.header, field, owner)
            )
        except InvalidTag:
            raise NotOpened(field) from None
        return text.decode()

    def blind_index(self, kind: str, normalised: str) -> str:
        """What to look a value up by without knowing it: 64 hexadecimal digits.

        `normalised` is the one form that `models.identifiers` reads a number to; the same number
        of another `kind` (`phone`, `resident_id`, …) has another index.
        """
        message = kind.encode() + b"\0" + normalised.encode()
        return hmac.new(self._keys.now().index_secret, message, hashlib.sha256).hexdigest()

    def sign(self, purpose: str, text: str) -> str:
        """What proves later that a holder of these keys saw this text: 64 hexadecimal digits.

        It outlives rotations, as blind indexes do, and shares no message with them.
        """
        message = b"\0" + purpose.encode() + b"\0" + text.encode()
        return hmac.new(self._keys.now().index_secret, message, hashlib.sha256).hexdigest()

    @property
    def header(self) -> bytes:
        """What everything sealed now begins with; whatever begins otherwise is of an older key."""
        return self._keys.now().first.header


def key_of(sealed: bytes) -> str:
    """The id of the key that sealed this. Raises NotOpened when it is no sealed text."""
    if len(sealed) < HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != VERSION:
        raise NotOpened("this is no sealed text")
    return sealed[1:HEADER_BYTES].hex()


def _bound(header: bytes, field: str, owner: UUID) -> bytes:
    # Of fixed lengths but for the last part, so that no two different wholes are the same bytes.
    return header + owner.bytes + field.encode()


# --- key rings as text ---


def new_ring() -> KeyRing:
    """A ring with one new key, and its own secret for blind indexes."""
    return KeyRing((new_key(),), secrets.token_bytes(KEY_BYTES))


def new_key() -> PersonalKey:
    """A new random key."""
    return PersonalKey(
        secrets.token_hex(_ID_BYTES), datetime.now(UTC), secrets.token_bytes(KEY_BYTES)
    )


def with_new_first(ring: KeyRing) -> KeyRing:
    """The ring with a newer key first: the newest that waits behind the first, else a new one."""
    newest = max(ring.keys, key=lambda key: key.made)
    if newest == ring.first:
        newest = new_key()
    return replace(ring, keys=(newest, *(key for key in ring.keys if key != newest)))


def with_waiting(ring: KeyRing) -> KeyRing:
    """The ring with a newer key behind the first, so that it opens everywhere before it seals."""
    if any(key.made > ring.first.made for key in ring.keys):
        return ring
    return replace(ring, keys=(ring.first, new_key(), *ring.keys[1:]))


def write_ring(ring: KeyRing) -> str:
    """A ring as the text of its file."""
    keys = [
        {"id": key.id, "made": key.made.isoformat(), "key": _text(key.secret)} for key in ring.keys
    ]
    return json.dumps({"keys": keys, "index_key": _text(ring.index_secret)}, indent=1) + "\n"


def read_ring(text: str) -> KeyRing:
    """A ring from the text of its file. Raises ValueError, which quotes nothing of it."""
    try:
        said: dict[str, Any] = json.loads(text)
        keys = tuple(
            PersonalKey(_key_id(key["id"]), _moment(key["made"]), _secret(key["key"]))
            for key in said["keys"]
        )
        ring = KeyRing(keys, _secret(said["index_key"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ValueError("this is no file of personal keys") from None
    if not keys or len({key.id for key in keys}) < len(keys):
        raise ValueError("a file of personal keys has at least one key, and no id twice")
    if ring.index_secret in {key.secret for key in keys}:
        raise ValueError("the index key must be another than the keys that seal")
    return ring


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("this is no base64") from None
    if len(secret) != KEY_BYTES:
        raise ValueError("a key has 256 bits")
    return secret


def _key_id(text: str) -> str:
    if len(bytes.fromhex(text)) != _ID_BYTES or text != text.lower():
        raise ValueError("a key's id has 16 hexadecimal digits")
    return text


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset")
    return moment
