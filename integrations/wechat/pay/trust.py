"""Whose signature counts: WeChat Pay's public keys, and its certificates as they change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from integrations.wechat.pay.sealing import CannotOpen, Sealed
from integrations.wechat.pay.signing import Seal, sealed_text, verify

_MOST_CERTIFICATES: Final = 20


class _Listed(Struct):
    serial_no: str
    encrypt_certificate: Sealed


class _List(Struct):
    data: list[_Listed]


_list = Decoder(_List)


@dataclass(frozen=True, slots=True)
class Certified:
    """A key of WeChat Pay and when it holds, in Unix seconds."""

    key: RSAPublicKey
    since: float
    until: float


def read_certificates(body: bytes, api_v3_key: bytes) -> dict[str, Certified]:
    """Return the certificates of an answer to `GET /v3/certificates`, by serial number.

    Raises CannotOpen for what is not encrypted with our key, or no such answer.
    """
    try:
        listed = _list.decode(body).data[:_MOST_CERTIFICATES]
        return dict(certified(one.encrypt_certificate.opened(api_v3_key)) for one in listed)
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        raise CannotOpen from None


def certified(pem: bytes) -> tuple[str, Certified]:
    """Return a certificate's serial number and its key, or raise CannotOpen."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError:
        raise CannotOpen from None
    if not isinstance(key, RSAPublicKey):
        raise CannotOpen
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    serial = f"{certificate.serial_number:X}"
    return serial, Certified(key, since.timestamp(), until.timestamp())


class Trust:
    """The keys that we believe: those of public-key mode for ever, certificates while they hold."""

    def __init__(self, public_keys: Mapping[str, RSAPublicKey]) -> None:
        self._public_keys = dict(public_keys)
        self._certified: dict[str, Certified] = {}

    def learn(self, certificates: Mapping[str, Certified]) -> None:
        """Believe these certificates too; callbacks signed by older ones are still on the way."""
        self._certified.update(certificates)

    def key(self, serial: str, now: float) -> RSAPublicKey | None:
        """Return the key of this serial number or id; None where there is none that holds now."""
        if (key := self._public_keys.get(serial)) is not None:
            return key
        # Serial numbers are numbers: some write them with zeros in front.
        found = self._certified.get(serial.lstrip("0"))
        return found.key if found is not None and found.since <= now <= found.until else None

    def vouches(self, seal: Seal, body: bytes, now: float) -> bool:
        """Tell whether one of our keys signed this message about now."""
        key = self.key(seal.serial, now)
        return (
            key is not None
            and seal.is_fresh(now)
            and verify(sealed_text(seal, body), seal.signature, key)
        )


def vouch_for_themselves(
    certificates: Mapping[str, Certified], seal: Seal, body: bytes, now: float
) -> bool:
    """Tell whether one of these certificates signed the answer that brought them.

    They were opened with our APIv3 key, which only WeChat Pay shares, so they may.
    """
    trust = Trust({})
    trust.learn(certificates)
    return trust.vouches(seal, body, now)


def serials(certificates: Iterable[str]) -> str:
    """Return serial numbers for the log: they are public."""
    return ",".join(sorted(certificates))
