"""Asking whether a name and an id number belong together.

Contract, as the sandbox plays it: `POST /identity/real-name` `{name, id_type, id_number}`, signed
(see `integrations.signed_asking`) → 200 `{result: "match"|"mismatch"|"not_found"}`; 400
`ID_INVALID`, 429 `TOO_OFTEN` (one number asked about too often), 403 `QUOTA_EXHAUSTED`, 503 `BUSY`.
"""

from typing import Final, Literal

import httpx
from msgspec import Struct
from msgspec.json import Decoder

from integrations.ports import IdType, PlatformRefused, RefusalReason
from integrations.signed_asking import SignedAsking

_PATH: Final = "/identity/real-name"
_REFUSALS: Final[dict[str, RefusalReason]] = {
    "ID_INVALID": "id_invalid",
    "TOO_OFTEN": "too_often",
}


class _Reply(Struct):
    result: Literal["match", "mismatch", "not_found"]


_reply = Decoder(_Reply)


class RealNameService:
    """Asks the identity provider, within `budget_s` seconds; nothing asked or told is kept."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        host: str,
        app_key: str,
        secret: str,
        *,
        budget_s: float = 5.0,
    ) -> None:
        self._service = SignedAsking(http, "identity", host, app_key, secret, budget_s=budget_s)

    async def matches(self, name: str, id_type: IdType, id_number: str) -> bool:
        """Tell whether that document is that person's; an unknown document is nobody's."""
        answer = await self._service.post(
            _PATH, {"name": name, "id_type": id_type, "id_number": id_number}
        )
        if answer.status_code == httpx.codes.OK:
            return self._service.asking.read(_reply, answer).result == "match"
        code = self._service.code(answer)
        if reason := _REFUSALS.get(code):
            raise PlatformRefused(reason, code)
        self._service.give_up(code, answer.status_code)
