"""The keys that sign access tokens: making them, rotating them, noticing that they were rotated."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from uuid_utils.compat import uuid7

from server.errors import NotSignedIn
from server.keys.whole_files import alone_with, replace, write_new

log = structlog.get_logger()

# What reading a file that holds no keys of ours may raise, besides OSError.
NO_KEYS = (ValueError, LookupError, TypeError, AttributeError, jwt.PyJWTError)

Jwk = dict[str, Any]


class WrongKeys(Exception):
    """A file holds no keys of ours, or not the key named; the message says so in a sentence."""


class TokenKeys:
    """The Ed25519 keys that sign access tokens: the first signs, all verify, so keys can rotate."""

    def __init__(self, keys: Iterable[Jwk]) -> None:
        """`keys` are private OKP JWKs with a `kid`. Raises ValueError when there is none."""
        self._private = {
            key["kid"]: OKPAlgorithm.from_jwk(key) for key in keys if key.get("kty") == "OKP"
        }
        if not self._private:
            raise ValueError("the token key file holds no Ed25519 key with a kid")
        self.current = next(iter(self._private))
        self._public = {
            kid: key.public_key()
            for kid, key in self._private.items()
            if isinstance(key, Ed25519PrivateKey)
        }
        # The names (`kid`) of all keys that verify.
        self.names = frozenset(self._public)

    @classmethod
    def read(cls, path: Path) -> "TokenKeys":
        """Keys from a JWK Set file. Raises OSError or one of NO_KEYS when it is not one."""
        return cls(json.loads(path.read_text())["keys"])

    @property
    def signing_key(self) -> Any:
        """The private key that signs now."""
        return self._private[self.current]

    @property
    def can_sign(self) -> bool:
        """Whether the first key is a private one."""
        return isinstance(self.signing_key, Ed25519PrivateKey)

    def verifying_key(self, kid: object) -> Any:
        """The public key of that name. Raises NotSignedIn for one we do not have."""
        if not isinstance(kid, str) or kid not in self._public:
            raise NotSignedIn
        return self._public[kid]


class KeyFile:
    """A key file that may be written anew while we run."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises as TokenKeys.read does."""
        self._path = path
        self._version = _version(path)
        self.first = TokenKeys.read(path)

    def newer(self) -> TokenKeys | None:
        """The keys, when the file is another one than at the last look.

        A file that cannot be read, or holds no keys, changes nothing: what we have still verifies.
        """
        try:
            version = _version(self._path)
            if version == self._version:
                return None
            self._version = version
            keys = TokenKeys.read(self._path)
            if not keys.can_sign:
                raise ValueError("the first key is not private")
        except (OSError, *NO_KEYS) as fault:
            log.error("token_keys_not_read", fault=type(fault).__name__)
            return None
        log.info("token_keys_read_anew", signs=keys.current, keys=len(keys.names))
        return keys


class Seldom:
    """Does something when asked to, but at most once in `every_s` real seconds."""

    def __init__(self, do: Callable[[], None], every_s: float) -> None:
        self._do = do
        self._every_s = every_s
        self._done_at = -every_s

    def __call__(self) -> None:
        """Do it, unless it was done just now."""
        now = time.monotonic()
        if now - self._done_at >= self._every_s:
            self._done_at = now
            self._do()


def write_token_keys(path: Path) -> bool:
    """Make a new key file that only its owner can read; False when there is one already.

    The file is there whole or not at all, whenever this is interrupted. Raises OSError.
    """
    return write_new(path, _text([_new_key()]))


def rotate_token_keys(path: Path) -> list[str]:
    """Put a new key first, so that it signs from now on; the old ones stay, to verify.

    Answers the names of all keys, the signing one first. Raises OSError or WrongKeys.
    """
    with alone_with(path):
        keys = [_new_key(), *_read(path)]
        replace(path, _text(keys))
    return [key["kid"] for key in keys]


def drop_token_key(path: Path, kid: str) -> list[str]:
    """Take an old key out: tokens that it signed are refused from now on.

    Answers the names that are left. Raises OSError or WrongKeys.
    """
    with alone_with(path):
        keys = _read(path)
        if kid == keys[0]["kid"]:
            raise WrongKeys(f"{kid} signs now; rotate first, then drop it.")
        left = [key for key in keys if key["kid"] != kid]
        if len(left) == len(keys):
            raise WrongKeys(f"{path} holds no key {kid}.")
        replace(path, _text(left))
    return [key["kid"] for key in left]


def key_names(path: Path) -> list[str]:
    """The names of the keys in a file, the signing one first. Raises OSError or WrongKeys."""
    return [key["kid"] for key in _read(path)]


def _new_key() -> Jwk:
    jwk: Jwk = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate()))
    return {**jwk, "kid": uuid7().hex}


def _read(path: Path) -> list[Jwk]:
    text = path.read_text(errors="replace")
    try:
        keys: list[Jwk] = json.loads(text)["keys"]
        TokenKeys(keys)
    except NO_KEYS:
        raise WrongKeys(f"{path} holds no keys that sign tokens.") from None
    return keys


def _text(keys: Sequence[Jwk]) -> str:
    return json.dumps({"keys": keys})


def _version(path: Path) -> tuple[int, ...]:
    """Differs when the file was replaced or written to."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
