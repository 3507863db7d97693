"""Sending text messages through a gateway.

Contract, as the sandbox plays it: `POST /sms/messages` `{phone, template, params, reference?}`,
signed (see `integrations.signed_asking`) → 200 `{message_id}`; 400 `PHONE_INVALID`,
`TEMPLATE_UNKNOWN`, `PARAMS_INVALID`; 403 `PHONE_BLOCKED` (its owner wants none),
`QUOTA_EXHAUSTED`; 429 `TOO_OFTEN` (one phone); 503 `BUSY`. The same `reference` within a day gets
the first answer and sends nothing.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import httpx
from msgspec import Meta, Struct
from msgspec.json import Decoder

from integrations.ports import PlatformRefused, RefusalReason
from integrations.signed_asking import SignedAsking

_PATH: Final = "/sms/messages"
_REFUSALS: Final[dict[str, RefusalReason]] = {
    "PHONE_INVALID": "phone_invalid",
    "PHONE_BLOCKED": "user_blocked",
    "TOO_OFTEN": "too_often",
    "TEMPLATE_UNKNOWN": "message_invalid",
    "PARAMS_INVALID": "message_invalid",
}


class _Reply(Struct):
    message_id: Annotated[str, Meta(min_length=1, max_length=128)]


_reply = Decoder(_Reply)


class SmsGateway:
    """Sends through one gateway account, within `budget_s` seconds a message.

    Without a `reference` a lost answer is not asked for again: the message may be on its way.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        host: str,
        app_key: str,
        secret: str,
        *,
        budget_s: float = 5.0,
    ) -> None:
        self._service = SignedAsking(http, "sms", host, app_key, secret, budget_s=budget_s)

    async def send(
        self, phone: str, template: str, params: Mapping[str, str], *, reference: str | None = None
    ) -> str:
        """Send one message and return the gateway's id for it."""
        body = {"phone": phone, "template": template, "params": dict(params)}
        if reference is not None:
            body["reference"] = reference
        answer = await self._service.post(_PATH, body)
        if answer.status_code == httpx.codes.OK:
            return self._service.asking.read(_reply, answer).message_id
        code = self._service.code(answer)
        if reason := _REFUSALS.get(code):
            if reason == "message_invalid":
                # Our template, our fields: this citizen's message is lost until we mend it.
                self._service.asking.misconfigured(code, template=template)
            raise PlatformRefused(reason, code)
        self._service.give_up(code, answer.status_code)
