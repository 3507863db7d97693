"""WeChat's message push: what happened to subscriptions and messages, in our words.

It comes to one address, plain or sealed, in JSON or XML, as the mini-program's settings say.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from xml.etree import ElementTree

import msgspec

from integrations.ports_message import PushEvent
from integrations.ports_payment import NotGenuine
from integrations.wechat.push_crypto import PushKey, is_signed

_FRESH_S: Final = 300.0
_LARGEST: Final = 64 * 1024
_LISTS: Final = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
    "subscribe_msg_sent_event": "SubscribeMsgSentEvent",
}


class WeChatPush:
    """Reads what is pushed to one mini-program; `now` is Unix seconds.

    With a key only what is sealed counts: a plain body could be anybody's.
    """

    def __init__(
        self,
        app_id: str,
        token: str,
        encoding_aes_key: str | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app_id = app_id
        self._token = token
        self._key = PushKey(encoding_aes_key) if encoding_aes_key else None
        self._now = now

    def answer_to_check(self, query: Mapping[str, str]) -> str:
        """What WeChat wants to hear when it checks our address. Raises NotGenuine."""
        self._check(query)
        return query.get("echostr", "")

    def read(self, query: Mapping[str, str], body: bytes) -> list[PushEvent]:
        """What a push says; nothing where it is about what we do not deal in. Raises NotGenuine."""
        if len(body) > _LARGEST:
            raise NotGenuine("too_big")
        if self._key is None:
            self._check(query)
            return _events(_fields(body))
        sealed = _fields(body).get("Encrypt")
        if not isinstance(sealed, str):
            raise NotGenuine("malformed")
        given = query.get("msg_signature", "")
        stamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        if not is_signed(given, self._token, stamp, nonce, sealed):
            raise NotGenuine("wrong_signature")
        self._check_age(stamp)
        return _events(_fields(self._key.open(sealed, app_id=self._app_id)))

    def _check(self, query: Mapping[str, str]) -> None:
        stamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        if not is_signed(query.get("signature", ""), self._token, stamp, nonce):
            raise NotGenuine("wrong_signature")
        self._check_age(stamp)

    def _check_age(self, stamp: str) -> None:
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise NotGenuine("malformed")
        if abs(self._now() - int(stamp)) > _FRESH_S:
            raise NotGenuine("stale")


def _fields(body: bytes) -> dict[str, Any]:
    """A JSON object, or what stands below the one element of an XML document."""
    if body.lstrip()[:1] == b"<":
        return _xml(body)
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotGenuine("malformed") from None


def _xml(body: bytes) -> dict[str, Any]:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise NotGenuine("malformed")  # nobody pushes one, and its entities could be without end
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 no entities: see above
    except (ElementTree.ParseError, ValueError):
        raise NotGenuine("malformed") from None
    return {each.tag: _value(each) for each in root}


def _value(element: ElementTree.Element) -> Any:
    if len(element) == 0:
        return element.text or ""
    return [{each.tag: each.text or "" for each in entry} for entry in element]


def _events(said: Mapping[str, Any]) -> list[PushEvent]:
    name = said.get("Event")
    if said.get("MsgType") != "event" or name not in _LISTS:
        return []
    who, when = said.get("FromUserName"), said.get("CreateTime")
    if not isinstance(who, str) or not 0 < len(who) <= 128:
        raise NotGenuine("malformed")
    moment = f"{name}:{who}:{when}"[:100]
    at = _at(when)
    return [_event(name, who, moment, at, entry) for entry in _entries(said, name)]


def _at(when: object) -> int | None:
    """CreateTime: a number in JSON, its digits in XML."""
    said = str(when)
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 10 else None


def _entries(said: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    found = said.get("List", said.get(_LISTS[name]))
    entries = found if isinstance(found, list) else [found]
    if not 0 < len(entries) <= 50 or not all(isinstance(each, dict) for each in entries):
        raise NotGenuine("malformed")
    return entries


def _event(name: str, who: str, moment: str, at: int | None, entry: Mapping[str, Any]) -> PushEvent:
    template = str(entry.get("TemplateId", ""))
    if not 0 < len(template) <= 64:
        raise NotGenuine("malformed")
    if name == "subscribe_msg_sent_event":
        number, code = str(entry.get("MsgID", ""))[:100], str(entry.get("ErrorCode", ""))[:32]
        if not number:
            raise NotGenuine("malformed")
        return PushEvent(
            key=f"sent:{number}",
            subject=who,
            said="arrived" if code in {"0", ""} else "not_arrived",
            template_id=template,
            message_no=number,
            code=None if code in {"0", ""} else code,
            at=at,
        )
    is_yes = entry.get("SubscribeStatusString") == "accept"
    return PushEvent(
        key=f"{moment}:{template}"[:160],
        subject=who,
        said="allowed" if is_yes else "refused",
        template_id=template,
        at=at,
    )
