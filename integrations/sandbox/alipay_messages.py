"""Alipay's template messages: who subscribed to what, and what is sent for it.

What somebody does on her phone is told by `POST /_sandbox/alipay/subscribe`; of whom and of which
template nothing was ever told there, it is believed that she subscribed.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from sanic import HTTPResponse, Request

from integrations.sandbox.alipay import Alipay
from integrations.sandbox.alipay_wire import Asked, Said, answer_name, failure
from integrations.sandbox.endpoints import App, Endpoints
from integrations.sandbox.replies import answer, read
from integrations.sandbox.sent import Message, Sent

_SEND: Final = "alipay.open.app.mini.templatemessage.send"
_MOST_DATA: Final = 2048
_KEYWORD: Final = re.compile(r"keyword[1-9][0-9]?")


class _Value(msgspec.Struct):
    value: str


class _Wanted(msgspec.Struct):
    user_template_id: Annotated[str, Meta(min_length=1, max_length=128)]
    data: str
    page: str = ""
    to_user_id: str = ""
    to_open_id: str = ""


class _Subscribed(msgspec.Struct, forbid_unknown_fields=True):
    to: str
    templates: Annotated[list[str], Meta(min_length=1, max_length=3)]
    answer: Literal["accept", "reject"] = "accept"
    lasting: bool = False


_wanted = msgspec.json.Decoder(_Wanted)
_data = msgspec.json.Decoder(dict[str, _Value])
_subscribed = msgspec.json.Decoder(_Subscribed)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class AlipayMessages:
    """The messages of one mini-program."""

    def __init__(self, alipay: Alipay, sent: Sent) -> None:
        self._alipay = alipay
        self._sent = sent
        # How many messages each still lets be sent; None: as many as there are.
        self._subscribed: dict[tuple[str, str], int | None] = {}

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Let the gateway send, and put the phone's prompt on the app."""
        self._alipay.answer(endpoints, _SEND, self.send)
        app.add_route(
            self.subscribe, "/_sandbox/alipay/subscribe", methods=["POST"], name="alipay_subscribe"
        )

    async def subscribe(self, request: Request) -> HTTPResponse:
        """She answers a prompt; what is allowed from then on."""
        asked = read(_subscribed, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        for template in asked.templates:
            key = (asked.to, template)
            held = self._subscribed.get(key, 0)
            if asked.answer == "reject":
                self._subscribed[key] = 0
            elif asked.lasting or held is None:
                self._subscribed[key] = None
            else:
                self._subscribed[key] = held + 1
        return answer({name: self._subscribed[asked.to, name] for name in asked.templates})

    def send(self, asked: Asked) -> Said:
        """Send one message, or say why not."""
        name = answer_name(_SEND)
        try:
            wanted = _wanted.decode(asked["biz_content"].encode())
            data: Mapping[str, _Value] = _data.decode(wanted.data.encode())
        except _UNREADABLE:
            return failure(name, "INVALID_PARAMETER")
        to = wanted.to_user_id or wanted.to_open_id
        is_to_one = bool(wanted.to_user_id) != bool(wanted.to_open_id)
        if not is_to_one or not data or len(wanted.data) > _MOST_DATA:
            return failure(name, "INVALID_PARAMETER")
        if not all(_KEYWORD.fullmatch(each) for each in data):
            return failure(name, "INVALID_PARAMETER")
        if not self._alipay.knows(to):
            return failure(name, "USER_NOT_EXIST")
        key = (to, wanted.user_template_id)
        if self._subscribed.get(key, None) == 0:
            return failure(name, "USER_NOT_SUBSCRIBE")
        left = self._subscribed.get(key)
        if left:
            self._subscribed[key] = left - 1
        fields = {field: given.value for field, given in data.items()}
        self._sent.accept(
            Message("alipay", "template", to, wanted.user_template_id, fields, datetime.now(UTC))
        )
        return Said(name, {"code": "10000", "msg": "Success"})
