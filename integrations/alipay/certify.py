"""Real name by face: Alipay compares a person before the camera with the national register.

The contract is that of `alipay.user.certify.open.initialize`, `.certify` and `.query`.
"""

import re
import secrets
from typing import Annotated, Final

from msgspec import Meta, Struct

from integrations.alipay.client import AlipayGateway
from integrations.ports import FaceCheckStarted, PlatformRefused, RefusalReason

_INITIALIZE: Final = "alipay.user.certify.open.initialize"
_CERTIFY: Final = "alipay.user.certify.open.certify"
_QUERY: Final = "alipay.user.certify.open.query"

_REFUSED_STARTS: Final[dict[str, RefusalReason]] = {"INVALID_PARAMETER": "id_invalid"}
_REFUSED_QUERIES: Final[dict[str, RefusalReason]] = {"OPEN_CERTIFY_BILL_NOT_EXIST": "code_invalid"}

_CERTIFY_ID: Final = re.compile(r"[0-9A-Za-z_\-]{1,64}")
_ID_NUMBER: Final = re.compile(r"[0-9]{15}|[0-9]{17}[0-9Xx]")
_MOST_NAME: Final = 64


class _Started(Struct):
    certify_id: Annotated[str, Meta(min_length=1, max_length=64)]


class _Outcome(Struct):
    passed: str = "F"


class AlipayFaceCheck:
    """Starts and judges face checks; `return_url` is where the phone goes afterwards."""

    def __init__(self, gateway: AlipayGateway, return_url: str) -> None:
        self._gateway = gateway
        self._return_url = return_url

    async def start(self, name: str, id_number: str) -> FaceCheckStarted:
        """Start a check of whoever will stand before the camera against this name and number.

        The phone opens the URL with `my.startAPVerify` within 23 hours. Raises PlatformRefused
        ("id_invalid" when nobody can have this name and number) or PlatformUnavailable.
        """
        if not (_could_be_a_name(name) and _ID_NUMBER.fullmatch(id_number)):
            raise PlatformRefused("id_invalid")
        started = await self._gateway.ask(
            _INITIALIZE,
            _Started,
            biz_content={
                "outer_order_no": secrets.token_hex(16),
                "biz_code": "FACE",
                "identity_param": {
                    "identity_type": "CERT_INFO",
                    "cert_type": "IDENTITY_CARD",
                    "cert_name": name,
                    "cert_no": id_number,
                },
                "merchant_config": {"return_url": self._return_url},
            },
            refusals=_REFUSED_STARTS,
        )
        url = self._gateway.page_url(_CERTIFY, {"certify_id": started.certify_id})
        return FaceCheckStarted(started.certify_id, url)

    async def passed(self, certify_id: str) -> bool:
        """Tell whether the person passed; False also while nobody stood before the camera yet.

        Raises PlatformRefused("code_invalid") when Alipay does not know the check, or
        PlatformUnavailable.
        """
        if not _CERTIFY_ID.fullmatch(certify_id):
            raise PlatformRefused("code_invalid")
        outcome = await self._gateway.ask(
            _QUERY, _Outcome, biz_content={"certify_id": certify_id}, refusals=_REFUSED_QUERIES
        )
        return outcome.passed == "T"


def _could_be_a_name(name: str) -> bool:
    return 0 < len(name) <= _MOST_NAME and name.isprintable()
