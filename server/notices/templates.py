"""The words of notices: what the city's files bring, and what administrators saved since."""

import csv
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import msgspec

from models import notice_templates
from models.notice_kinds import RULES, NoticeKind

INBOX: Final = "inbox"
CHANNELS: Final = (INBOX, "wechat", "alipay", "sms")
# What the inbox shows of each.
INBOX_FIELDS: Final = frozenset({"title", "body"})
# Besides a kind's words, what the page that it opens may be named by.
PAGE_WORDS: Final = frozenset({"ticket", "subject", "notice"})
LOOK_EVERY_S: Final = 2.0
_WORD: Final = re.compile(r"\{([^{}]*)\}")
_decode = msgspec.json.Decoder(dict[str, str]).decode

Key = tuple[str, str, bool]  # kind, channel, in English


@dataclass(frozen=True, slots=True)
class Template:
    """The words of one kind for one channel in one language; without a `template_id` none is sent.

    `patterns` has the channel's fields, `text` the whole where the channel counts its characters.
    """

    kind: NoticeKind
    channel: str
    english: bool
    version: int
    template_id: str
    page: str
    patterns: Mapping[str, str]
    text: str

    def filled(self, words: Mapping[str, str]) -> dict[str, str]:
        """The fields with their words."""
        return {name: fill(pattern, words) for name, pattern in self.patterns.items()}


def fill(pattern: str, words: Mapping[str, str]) -> str:
    """A pattern with its words; one that is not known says nothing."""
    return _WORD.sub(lambda found: words.get(found[1], ""), pattern)


def strange_words(kind: NoticeKind, pattern: str, *, of_page: bool = False) -> list[str]:
    """The words of a pattern that this kind may not name."""
    known = PAGE_WORDS if of_page else RULES[kind].words
    return [word for word in _WORD.findall(pattern) if word not in known]


def shipped() -> dict[Key, Template]:
    """The city's files' templates, version 0. Raises ValueError for one that says what it may not.

    A field of them is written `name=pattern`, and `|` stands between two.
    """
    text = files("server.notices").joinpath("templates.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        patterns = dict(field.split("=", 1) for field in row["fields"].split("|"))
        template = Template(
            kind=NoticeKind(row["kind"]),
            channel=row["channel"],
            english=row["language"] == "en",
            version=0,
            template_id=row["template_id"],
            page=row["page"],
            patterns=patterns,
            text=row["text"],
        )
        strange = [
            word
            for pattern in (*patterns.values(), template.text)
            for word in strange_words(template.kind, pattern)
        ] + strange_words(template.kind, template.page, of_page=True)
        if strange:
            raise ValueError(f"a template of {template.kind} names {strange}")
        found[template.kind.value, template.channel, template.english] = template
    return found


class Templates:
    """The templates that count, as this process read them last."""

    def __init__(self) -> None:
        self._shipped = shipped()
        self._saved: dict[Key, Template] = {}
        self._mark = 0
        self._look_at = 0.0

    def of(self, kind: str, channel: str, *, english: bool) -> Template | None:
        """The template of a kind for a channel; in Chinese where there is none in English."""
        for language in (english, False):
            key = (kind, channel, language)
            if found := self._saved.get(key, self._shipped.get(key)):
                return found
        return None

    def all(self) -> list[Template]:
        """Every template that counts, in the order of kind, channel and language."""
        every = {**self._shipped, **self._saved}
        return [every[key] for key in sorted(every)]

    def original(self, kind: str, channel: str, *, english: bool) -> Template | None:
        """What the city's files bring of one, whatever was saved since."""
        return self._shipped.get((kind, channel, english))

    async def follow(self) -> None:
        """Learn what was saved since the last look, which is LOOK_EVERY_S seconds ago or older."""
        if time.monotonic() < self._look_at:
            return
        await self.read()

    async def read(self) -> None:
        """Learn what was saved since the last look."""
        mark = await notice_templates.mark()
        if mark != self._mark:
            saved = [template_of(row) for row in await notice_templates.newest()]
            self._saved = {(each.kind.value, each.channel, each.english): each for each in saved}
            self._mark = mark
        self._look_at = time.monotonic() + LOOK_EVERY_S


def template_of(row: Mapping[str, object]) -> Template:
    """A template as it was saved."""
    return Template(
        kind=NoticeKind(str(row["kind"])),
        channel=str(row["channel"]),
        english=bool(row["english"]),
        version=int(str(row["version"])),
        template_id=str(row["template_id"]),
        page=str(row["page"]),
        patterns=_decode(str(row["patterns"])),
        text=str(row["text"]),
    )
