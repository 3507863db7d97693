"""Text messages as a channel for notices: whichever gateway the city has, behind one port."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from integrations.graphemes import cut, units
from integrations.ports import SmsSender
from integrations.ports_message import AfterSilence, FieldFault, Message

# Carriers send a text of up to 70 characters as one message, and in pieces of 67 beyond.
ONE_MESSAGE: Final = 70
A_PIECE: Final = 67
MOST_PIECES: Final = 3
_LONGEST_VALUE: Final = 35
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_WORD: Final = re.compile(r"\{[^{}]*\}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def pieces(text: str) -> int:
    """As how many messages a text is sent, and paid for."""
    length = units(text)
    return 1 if length <= ONE_MESSAGE else -(-length // A_PIECE)


class SmsMessages:
    """Notices as text messages through a gateway, of which `after_silence` says what is known."""

    app_id = ""
    is_counted = False

    def __init__(self, sender: SmsSender, after_silence: AfterSilence = "nothing") -> None:
        self._sender = sender
        self.after_silence: AfterSilence = after_silence

    async def send(self, message: Message) -> str:
        """Send one message and return the gateway's id of it; see `ports_message.Messenger`."""
        return await self._sender.send(
            message.to,
            message.template_id,
            self.fitted(message.fields),
            reference=message.reference or None,
        )

    def faults_of(self, fields: Mapping[str, str], text: str) -> Sequence[FieldFault]:
        """What carriers would have against a template."""
        found = [
            FieldFault(name, ("参数名由字母、数字组成。", "Names have letters and digits."))
            for name in fields
            if not _NAME.fullmatch(name)
        ]
        if not text.startswith("【") or "】" not in text[1:22]:
            why = ("短信须以【签名】开头。", "A text message begins with 【its signature】.")
            found.append(FieldFault("text", why))
        if pieces(_WORD.sub("", text)) > MOST_PIECES:
            why = ("短信最多拆为 3 条。", "A text message is sent in at most 3 pieces.")
            found.append(FieldFault("text", why))
        return found

    def fitted(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The values in one line each, cut to what carriers let a variable have."""
        plain = {name: _CONTROL.sub(" ", value).strip() for name, value in fields.items()}
        return {name: cut(value, _LONGEST_VALUE) or "-" for name, value in plain.items()}
