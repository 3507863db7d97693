"""WeChat's subscription messages: what people allow on their phones, and what is sent for it.

Each prompt that somebody accepts is good for one message of that template; `always` until she
rejects it. What she does on her phone is told by `POST /_sandbox/wechat/subscribe`; of whom and of
which template nothing was ever told there, it is believed that she accepts, unless
`wechat_strict_prompts`.
"""

import itertools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from sanic import HTTPResponse, Request

from integrations.sandbox.endpoints import App, Clock, Endpoint, Endpoints
from integrations.sandbox.limits import PerWindow
from integrations.sandbox.replies import answer, problem, read
from integrations.sandbox.sent import Message, Sent
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.wechat import WeChat, refuse

_DAY_S: Final = 86_400.0
_TEMPLATE: Final = re.compile(r"[A-Za-z0-9_\-]{4,64}")
_PAGE: Final = re.compile(r"(?![/?])[A-Za-z0-9_\-./]+(\?[!-~]*)?")
_KEY: Final = re.compile(r"([a-z_]+)[1-9][0-9]?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# The document's table, as the platform holds us to it.
_VALUES: Final = {
    "thing": re.compile(r"[\s\S]{1,20}"),
    "number": re.compile(r"(?=.{1,32}$)[0-9]+(\.[0-9]+)?"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(r"[^\w\s]{1,5}"),
    "character_string": re.compile(r"[!-~]{1,32}"),
    "time": re.compile(r"[0-9年月日:\-/. ~]{4,48}"),
    "date": re.compile(r"[0-9年月日:\-/. ~]{8,48}"),
    "amount": re.compile(r"[¥￥$]?[0-9]{1,10}(\.[0-9]+)?元?"),
    "phone_number": re.compile(r"[0-9+\-() ]{1,17}"),
    "car_number": re.compile(r".{1,8}"),
    "name": re.compile(r"[ -~]{1,20}|.{1,10}"),
    "phrase": re.compile(r"[㐀-鿿]{1,5}"),
    "enum": re.compile(r".{1,20}"),
}


class _Value(msgspec.Struct):
    value: str | int | float


class _Wanted(msgspec.Struct):
    touser: str = ""
    template_id: str = ""
    data: dict[str, _Value] = {}
    page: str = ""
    miniprogram_state: Literal["developer", "trial", "formal"] = "formal"
    lang: Literal["zh_CN", "en_US", "zh_HK", "zh_TW"] = "zh_CN"


class _Prompted(msgspec.Struct, forbid_unknown_fields=True):
    openid: str
    templates: Annotated[list[str], Meta(min_length=1, max_length=20)]
    answer: Literal["accept", "reject"] = "accept"
    always: bool = False
    # Where she says so: at a prompt, or among her phone's settings.
    where: Literal["prompt", "settings"] = "prompt"


_wanted = msgspec.json.Decoder(_Wanted)
_prompted = msgspec.json.Decoder(_Prompted)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
# event, openid, and its entries: what is pushed to the mini-program's backend.
Push = Callable[[str, str, list[dict[str, str]]], None]
# Whether messages arrive at this openid.
Reaches = Callable[[str], bool]


class WeChatMessages:
    """The messages of one mini-program; `push` tells its backend what became of them."""

    def __init__(
        self,
        settings: SandboxSettings,
        clock: Clock,
        wechat: WeChat,
        sent: Sent,
        *,
        push: Push,
        reaches: Reaches,
    ) -> None:
        self._clock = clock
        self._wechat = wechat
        self._sent = sent
        self._push = push
        self._reaches = reaches
        self._templates = settings.wechat_templates
        self._fields = settings.wechat_template_fields
        self._today = PerWindow(settings.wechat_messages_a_day, _DAY_S)
        self._credits: dict[tuple[str, str], int] = {}
        self._always: set[tuple[str, str]] = set()
        # Whose prompts were played; without, an app that says they were accepted is believed.
        self._played: set[tuple[str, str]] = set()
        self._strict = settings.wechat_strict_prompts
        self._numbers = itertools.count(2_000_000_000_000_000_001)

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put the endpoint, and the phone's prompt, on the app."""
        endpoints.add(
            app,
            Endpoint(
                "wechat.subscribe_send",
                "POST",
                "/cgi-bin/message/subscribe/send",
                self.send,
                refuse,
            ),
        )
        app.add_route(
            self.prompt, "/_sandbox/wechat/subscribe", methods=["POST"], name="wechat_subscribe"
        )

    async def prompt(self, request: Request) -> HTTPResponse:
        """She answers a prompt, or changes her settings; what is allowed from then on."""
        asked = read(_prompted, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        if not self._wechat.knows(asked.openid):
            return problem(404, "openid_unknown", "Nobody has this openid.")
        for template in asked.templates:
            self._say(asked, (asked.openid, template))
        if asked.where == "prompt" or asked.answer == "reject":
            self._tell(asked)
        return answer({"credits": self._of(asked.openid)})

    def _say(self, asked: _Prompted, key: tuple[str, str]) -> None:
        self._played.add(key)
        if asked.answer == "reject":
            self._credits.pop(key, None)
            self._always.discard(key)
            return
        self._credits[key] = self._credits.get(key, 0) + 1
        if asked.always:
            self._always.add(key)

    def _tell(self, asked: _Prompted) -> None:
        at_prompt = asked.where == "prompt"
        event = "subscribe_msg_popup_event" if at_prompt else "subscribe_msg_change_event"
        entries = [
            {"TemplateId": template, "SubscribeStatusString": asked.answer}
            | ({"PopupScene": "0"} if at_prompt else {})
            for template in asked.templates
        ]
        self._push(event, asked.openid, entries)

    def _of(self, openid: str) -> dict[str, int]:
        return {
            template: left for (whose, template), left in self._credits.items() if whose == openid
        }

    async def send(self, request: Request) -> HTTPResponse:
        """`subscribeMessage.send`."""
        if fault := self._wechat.token_fault(request):
            return refuse(fault)
        try:
            wanted = _wanted.decode(request.body)
        except _UNREADABLE:
            return refuse(47001)
        if fault := self._fault_of(wanted):
            return refuse(fault)
        if (name := self._wrong_field(wanted)) is not None:
            told = f"argument invalid! data.{name}.value invalid"
            return answer({"errcode": 47003, "errmsg": told})
        key = (wanted.touser, wanted.template_id)
        if not self._allows(key):
            return refuse(43101)
        return answer({"errcode": 0, "errmsg": "ok", "msgid": self._accept(wanted)})

    def _wrong_field(self, wanted: _Wanted) -> str | None:
        """A field that the message lacks, that its template lacks, or that is ill."""
        theirs = self._fields.get(wanted.template_id)
        if theirs is not None and theirs != set(wanted.data):
            return min(theirs ^ set(wanted.data))
        ill = (name for name, it in wanted.data.items() if not _takes(name, str(it.value)))
        return next(ill, None)

    def _allows(self, key: tuple[str, str]) -> bool:
        """Whether she lets this be sent, which uses up what she allowed."""
        if key in self._always or not (self._strict or key in self._played):
            return True
        if not self._credits.get(key):
            return False
        self._credits[key] -= 1
        return True

    def _fault_of(self, wanted: _Wanted) -> int | None:
        if not self._wechat.knows(wanted.touser):
            return 40003
        known = self._templates is None or wanted.template_id in self._templates
        if not known or not _TEMPLATE.fullmatch(wanted.template_id):
            return 40037
        if not wanted.data:
            return 47003
        if wanted.page and not _PAGE.fullmatch(wanted.page):
            return 41030
        return None if self._today.allows("all", self._clock()) else 45009

    def _accept(self, wanted: _Wanted) -> int:
        fields = {name: str(given.value) for name, given in wanted.data.items()}
        message = Message(
            "wechat", "subscription", wanted.touser, wanted.template_id, fields, datetime.now(UTC)
        )
        self._sent.accept(message)
        number = next(self._numbers)
        arrives = self._reaches(wanted.touser)
        # What the platform says instead of 0 is assumed: nothing public lists it.
        told = {
            "TemplateId": wanted.template_id,
            "MsgID": str(number),
            "ErrorCode": "0" if arrives else "5",
            "ErrorStatus": "success" if arrives else "fail",
        }
        self._push("subscribe_msg_sent_event", wanted.touser, [told])
        return number


def _takes(name: str, value: str) -> bool:
    kind = _KEY.fullmatch(name)
    fits = _VALUES.get(kind[1]) if kind else None
    return bool(fits and fits.fullmatch(value) and not _CONTROL.search(value))
