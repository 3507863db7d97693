"""The provider's own keys: what signs ID tokens, and the salt of pairwise subjects.

The file is a JWK Set (RFC 7517): EC keys on P-256, of which the first signs and all are published,
and one `oct` key, the salt, which never changes: every department knows its citizens by it.
ES256 and not EdDSA, because departments' software often cannot verify the latter.
"""

import base64
import json
import secrets
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from jwt.algorithms import ECAlgorithm
from jwt.exceptions import InvalidKeyError
from uuid_utils.compat import uuid7

from server.keys.whole_files import alone_with, replace, write_new

ALGORITHM = "ES256"
SALT_BYTES = 32


class SigningKeys:
    """The keys of one file: the first EC key signs, all of them verify and are published."""

    def __init__(self, keys: list[dict[str, Any]]) -> None:
        """`keys` are private JWKs with a `kid`. Raises ValueError when any that is needed lacks."""
        self._private = {key["kid"]: _private(key) for key in keys if key.get("kty") == "EC"}
        salts = [_bytes(key["k"]) for key in keys if key.get("kty") == "oct"]
        if not self._private or len(salts) != 1 or len(salts[0]) < SALT_BYTES:
            raise ValueError("the key file needs P-256 keys with a kid, and one oct key as salt")
        self.current = next(iter(self._private))
        self.salt = salts[0]
        self._public = {kid: key.public_key() for kid, key in self._private.items()}

    @classmethod
    def read(cls, path: Path) -> "SigningKeys":
        """Keys from a file. Raises ValueError or OSError when it holds none."""
        try:
            return cls(json.loads(path.read_text())["keys"])
        except (LookupError, TypeError, AttributeError, InvalidKeyError):
            raise ValueError("the key file is no JWK Set with named keys") from None

    @property
    def signing_key(self) -> EllipticCurvePrivateKey:
        """The private key that signs now."""
        return self._private[self.current]

    def public_key(self, kid: object) -> EllipticCurvePublicKey | None:
        """The published key of that name, or None."""
        return self._public.get(kid) if isinstance(kid, str) else None

    def published(self) -> list[dict[str, str]]:
        """Every public key as a JWK: of the tokens about, of those to come, none of the salt."""
        return [
            {**ECAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "use": "sig", "alg": ALGORITHM}
            for kid, key in self._public.items()
        ]


def write_signing_keys(path: Path) -> bool:
    """Make a new file that only its owner can read; False when there is one already.

    It holds two keys: the second signs after the next rotation and is published from now on, so
    that no department meets a key it could not have known. Raises OSError.
    """
    salt = base64.urlsafe_b64encode(secrets.token_bytes(SALT_BYTES)).rstrip(b"=").decode()
    keys = [_new_key(), _new_key(), {"kty": "oct", "kid": "pairwise-salt", "k": salt}]
    return write_new(path, json.dumps({"keys": keys}))


def rotate_signing_keys(path: Path) -> str:
    """The next key signs from the next start on; the one before stays published; its `kid`.

    Raises OSError, or ValueError when the file is none of ours.
    """
    with alone_with(path):
        SigningKeys.read(path)
        keys = json.loads(path.read_text())["keys"]
        signing = [key for key in keys if key["kty"] == "EC"]
        upcoming = signing[1] if len(signing) > 1 else _new_key()
        others = [key for key in keys if key["kty"] != "EC"]
        replace(path, json.dumps({"keys": [upcoming, _new_key(), signing[0], *others]}))
        return str(upcoming["kid"])


def _new_key() -> dict[str, Any]:
    return {
        **ECAlgorithm.to_jwk(generate_private_key(SECP256R1()), as_dict=True),
        "kid": uuid7().hex,
    }


def _private(jwk: dict[str, Any]) -> EllipticCurvePrivateKey:
    key = ECAlgorithm.from_jwk(jwk)
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("every EC key of the file is a private one on P-256")
    return key


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
