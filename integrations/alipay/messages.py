"""Alipay's template messages to those who subscribed in our mini-program.

The contract is that of `alipay.open.app.mini.templatemessage.send`: fields `keyword1`, `keyword2`
and so on, in at most 2,048 characters of JSON. A one-time subscription is good for one message.
The sub_codes for a message that she does not want are assumed: nothing public lists them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog

from integrations.alipay.client import (
    OUR_FAULT,
    SUCCESS,
    TOO_OFTEN,
    AlipayGateway,
    Answer,
    harmless,
)
from integrations.asking import AFTER_REPAIR_S
from integrations.graphemes import cut
from integrations.ports import NotDone, PlatformRefused, PlatformUnavailable, RefusalReason
from integrations.ports_message import AfterSilence, FieldFault, Message

log = structlog.get_logger()

_METHOD: Final = "alipay.open.app.mini.templatemessage.send"
_BUSINESS: Final = "40004"
_REFUSALS: Final[dict[str, RefusalReason]] = {
    "USER_NOT_SUBSCRIBE": "not_wanted",
    "SUBSCRIBE_RELATION_NOT_EXIST": "not_wanted",
    "USER_NOT_EXIST": "recipient_unknown",
    "INVALID_USER_ID": "recipient_unknown",
}
_USER_ID: Final = re.compile(r"2088[0-9]{12}")
_NAME: Final = re.compile(r"keyword[1-9][0-9]?")
_WORD: Final = re.compile(r"\{[^{}]*\}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MOST_DATA: Final = 2048
_LONGEST_VALUE: Final = 64


class AlipayMessages:
    """Sends in our mini-program's name.

    Alipay knows no reference of ours: what was not answered may have been sent.
    """

    is_counted = True
    after_silence: AfterSilence = "nothing"

    def __init__(self, gateway: AlipayGateway) -> None:
        self._gateway = gateway

    @property
    def app_id(self) -> str:
        """Our mini-program's id."""
        return self._gateway.app_id

    async def send(self, message: Message) -> str:
        """Send one message; Alipay tells no number of it. See `ports_message.Messenger`."""
        data = {name: {"value": value} for name, value in self.fitted(message.fields).items()}
        to = "to_user_id" if _USER_ID.fullmatch(message.to) else "to_open_id"
        content = {
            to: message.to,
            "user_template_id": message.template_id,
            "page": message.page,
            "data": msgspec.json.encode(data).decode(),
        }
        answer = await self._gateway.exchange(_METHOD, biz_content=content)
        if answer.code != SUCCESS:
            raise self._refusal(answer, message.template_id)
        return ""

    def _refusal(self, answer: Answer, template_id: str) -> PlatformRefused | PlatformUnavailable:
        sub_code = harmless(answer.sub_code or answer.code)
        if reason := _REFUSALS.get(sub_code):
            return PlatformRefused(reason, sub_code)
        if answer.code == TOO_OFTEN:
            return PlatformRefused("too_often", sub_code)
        if answer.code in OUR_FAULT:
            log.error("alipay_misconfigured", method=_METHOD, sub_code=sub_code)
            return NotDone(AFTER_REPAIR_S)
        if answer.code == _BUSINESS and sub_code not in {"SYSTEM_ERROR", "isp.unknow-error"}:
            log.error("alipay_message_invalid", template=template_id, sub_code=sub_code)
            return PlatformRefused("message_invalid", sub_code)
        # A busy Alipay may have sent it all the same.
        return self._gateway.unavailable(_METHOD, "busy", {"sub_code": sub_code})

    def faults_of(self, fields: Mapping[str, str], text: str) -> Sequence[FieldFault]:
        """What Alipay would have against a template's fields, each with its pattern."""
        found = []
        for name, pattern in fields.items():
            if not _NAME.fullmatch(name):
                why = ("字段名应为 keyword1、keyword2……", "Fields are named keyword1, keyword2, …")
                found.append(FieldFault(name, why))
            elif not pattern.strip() or _CONTROL.search(pattern):
                why = ("不能为空或含控制字符。", "It must not be empty or have control characters.")
                found.append(FieldFault(name, why))
            elif len(_WORD.sub("", pattern)) > _LONGEST_VALUE:
                why = (f"最长 {_LONGEST_VALUE} 个字符。", f"At most {_LONGEST_VALUE} characters.")
                found.append(FieldFault(name, why))
        if not fields:
            found.append(FieldFault("", ("至少一个字段。", "A template has a field at least.")))
        return found

    def fitted(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The values in one line each, and together no more than Alipay takes."""
        plain = {name: _CONTROL.sub(" ", value).strip() or "-" for name, value in fields.items()}
        longest = _LONGEST_VALUE
        while True:
            values = {name: cut(value, longest) for name, value in plain.items()}
            if len(msgspec.json.encode(values)) <= _MOST_DATA // 2 or longest <= 8:
                return values
            longest //= 2
