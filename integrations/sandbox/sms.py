"""The SMS gateway: what it accepts stands in `GET /_sandbox/sent`, addressed to the phone number.

`POST /sms/messages` `{phone, template, params, reference?}`, signed → `{message_id}`.
"""

import re
import secrets
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final

import msgspec
from sanic import HTTPResponse, Request

from integrations.sandbox.endpoints import App, Clock, Endpoint, Endpoints
from integrations.sandbox.limits import PerWindow
from integrations.sandbox.replies import answer
from integrations.sandbox.sent import Message, Sent
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.signatures import Signatures, refuse
from integrations.sandbox.sms_receipts import SmsReceipts

_PHONE: Final = re.compile(r"1[3-9][0-9]{9}|\+(?!86)[1-9][0-9]{6,14}")
_WORD: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_VALUE: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_MOST_PARAMS: Final = 16
_DAY_S: Final = 86_400.0


class _Wanted(msgspec.Struct):
    phone: str
    template: str
    params: dict[str, object]
    reference: str | None = None


_wanted = msgspec.json.Decoder(_Wanted)


class Sms:
    """One gateway account."""

    def __init__(
        self, settings: SandboxSettings, clock: Clock, sent: Sent, receipts: SmsReceipts
    ) -> None:
        self._signatures = Signatures(settings.sms_app_key, settings.sms_secret)
        self._templates = settings.sms_templates
        self._blocked = settings.sms_blocked
        self._most_references = settings.most_codes
        self._clock = clock
        self._sent = sent
        self._receipts = receipts
        self._to_a_phone = PerWindow(settings.sms_a_minute, 60.0)
        # reference → message id and when it is forgotten
        self._references: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put the endpoint on the app."""
        endpoints.add(app, Endpoint("sms.messages", "POST", "/sms/messages", self._accept, refuse))

    async def _accept(self, request: Request) -> HTTPResponse:
        if fault := self._signatures.fault_of(request):
            return refuse(fault)
        try:
            wanted = _wanted.decode(request.body)
        except msgspec.ValidationError:
            return refuse("REQUEST_INVALID")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return refuse("NOT_JSON")
        now = self._clock()
        if first := self._first_id(wanted.reference, now):
            return answer({"message_id": first})
        if fault := self._fault_of(wanted, now):
            return refuse(fault)
        return answer({"message_id": self._send(wanted, now)})

    def _fault_of(self, wanted: _Wanted, now: float) -> str | None:
        if not _PHONE.fullmatch(wanted.phone):
            return "PHONE_INVALID"
        known = self._templates is None or wanted.template in self._templates
        if not known or not _WORD.fullmatch(wanted.template):
            return "TEMPLATE_UNKNOWN"
        if wanted.reference is not None and not _WORD.fullmatch(wanted.reference):
            return "REQUEST_INVALID"
        values = wanted.params.values()
        if len(values) > _MOST_PARAMS or not all(
            isinstance(value, str) and _VALUE.fullmatch(value) for value in values
        ):
            return "PARAMS_INVALID"
        if wanted.phone in self._blocked:
            return "PHONE_BLOCKED"
        return None if self._to_a_phone.allows(wanted.phone, now) else "TOO_OFTEN"

    def _first_id(self, reference: str | None, now: float) -> str | None:
        if reference is None or reference not in self._references:
            return None
        message_id, dies_at = self._references[reference]
        return message_id if now < dies_at else None

    def _send(self, wanted: _Wanted, now: float) -> str:
        message_id = secrets.token_hex(16)
        if wanted.reference is not None:
            self._references[wanted.reference] = (message_id, now + _DAY_S)
            if len(self._references) > self._most_references:
                self._references.popitem(last=False)
        fields = {name: str(value) for name, value in wanted.params.items()}
        self._sent.accept(
            Message("sms", "sms", wanted.phone, wanted.template, fields, datetime.now(UTC))
        )
        self._receipts.tell("gateway", message_id, wanted.phone)
        return message_id
