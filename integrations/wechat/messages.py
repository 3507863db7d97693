"""WeChat's subscription messages.

The contract is that of `POST /cgi-bin/message/subscribe/send`. Each prompt that somebody accepted
is good for one message of that template; sending another is refused with 43101.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import structlog
from msgspec import Struct

from integrations.ports import PlatformRefused, RefusalReason
from integrations.ports_message import AfterSilence, FieldFault, Message
from integrations.wechat import message_fields
from integrations.wechat.client import WeChatClient

log = structlog.get_logger()

_PATH: Final = "/cgi-bin/message/subscribe/send"
_REFUSALS: Final[dict[int, RefusalReason]] = {
    40003: "recipient_unknown",
    40037: "message_invalid",  # no such template
    41030: "message_invalid",  # no such page in the released app
    43101: "not_wanted",
    47003: "message_invalid",  # a field is missing or has a value that it does not take
}
Stage = Literal["developer", "trial", "formal"]


class _Reply(Struct):
    msgid: int | str = ""


class WeChatMessages:
    """Sends in our mini-program's name; a message opens the app as it is in that `stage`.

    `is_told`: whether WeChat pushes to us what became of messages.
    """

    is_counted = True

    def __init__(
        self, client: WeChatClient, *, stage: Stage = "formal", is_told: bool = False
    ) -> None:
        self._client = client
        self._stage = stage
        self._is_told = is_told

    @property
    def after_silence(self) -> AfterSilence:
        """WeChat knows no reference of ours, but tells what it sent."""
        return "word" if self._is_told else "nothing"

    @property
    def app_id(self) -> str:
        """Our mini-program's id."""
        return self._client.app_id

    async def send(self, message: Message) -> str:
        """Send one message and return WeChat's id of it; see `ports_message.Messenger`."""
        try:
            fields = self.fitted(message.fields)
        except message_fields.Unfit as unfit:
            log.error("wechat_field_unfit", template=message.template_id, field=str(unfit))
            raise PlatformRefused("message_invalid", f"unfit_{unfit}") from None
        body: dict[str, object] = {
            "touser": message.to,
            "template_id": message.template_id,
            "data": {name: {"value": value} for name, value in fields.items()},
            "miniprogram_state": self._stage,
            "lang": "en_US" if message.english else "zh_CN",
        }
        if message.page:
            body["page"] = message.page
        try:
            reply = await self._client.ask(_PATH, body, _Reply, refusals=_REFUSALS)
        except PlatformRefused as refused:
            if refused.reason == "message_invalid":
                log.error(
                    "wechat_message_invalid",
                    template=message.template_id,
                    errcode=refused.platform_code,
                )
            raise
        return str(reply.msgid)

    def faults_of(self, fields: Mapping[str, str], text: str) -> Sequence[FieldFault]:
        """What WeChat would have against a template; its whole text is WeChat's own."""
        return message_fields.faults_of(fields)

    def fitted(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The fields as they are sent. Raises `message_fields.Unfit`."""
        return message_fields.fitted(fields)
