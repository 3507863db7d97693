"""Who exists in the sandbox, and the one-time codes their phones hold."""

import hashlib
import secrets
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice


@dataclass(slots=True)
class Persona:
    """One invented person; the id number says who it is.

    `level` is how surely the province knows her, 0 to 3.
    """

    serial: int
    id_number: str
    name: str
    phone: str
    born: date | None = None
    topics: tuple[str, ...] = ()
    blocked: bool = False
    level: int = 2


class Personas:
    """Everyone who exists, oldest first; past `most`, the oldest are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._people: OrderedDict[str, Persona] = OrderedDict()
        self._born = 0

    def __len__(self) -> int:
        return len(self._people)

    def meet(
        self,
        id_number: str,
        *,
        name: str | None = None,
        phone: str | None = None,
        born: date | None = None,
        topics: tuple[str, ...] | None = None,
        blocked: bool | None = None,
        level: int | None = None,
    ) -> Persona:
        """Return the person with this id number, made up or brought up to date as told."""
        key = id_number.upper()
        persona = self._people.get(key)
        if persona is None:
            self._born += 1
            persona = Persona(self._born, key, f"市民{key[-4:]}", _invented_phone(key), _born(key))
            self._people[key] = persona
            if len(self._people) > self._most:
                self._people.popitem(last=False)
        if name is not None:
            persona.name = name
        if phone is not None:
            persona.phone = phone
        if born is not None:
            persona.born = born
        if topics is not None:
            persona.topics = topics
        if blocked is not None:
            persona.blocked = blocked
        if level is not None:
            persona.level = level
        return persona

    def find(self, id_number: str) -> Persona | None:
        """Return the person with this id number, if anybody has it."""
        return self._people.get(id_number.upper())

    def after(self, serial: int, limit: int) -> list[Persona]:
        """Return up to `limit` people who came later than the one with this serial number."""
        later: Iterator[Persona] = (p for p in self._people.values() if p.serial > serial)
        return list(islice(later, limit))

    def named_like(self, words: str, limit: int) -> list[Persona]:
        """Return up to `limit` people whose name or id number has the words, the newest first."""
        newest = reversed(self._people.values())
        like = (p for p in newest if words in p.name or words.upper() in p.id_number)
        return list(islice(like, limit))


def _invented_phone(key: str) -> str:
    digest = hashlib.sha256(key.encode()).digest()
    return f"199{int.from_bytes(digest[:4], 'big') % 10**8:08d}"


def _born(key: str) -> date | None:
    if len(key) != 18:
        return None
    try:
        return datetime.strptime(key[6:14], "%Y%m%d").date()
    except ValueError:
        return None


@dataclass(slots=True)
class Code:
    """A one-time code: whose it is, until when it lives, whether it was spent.

    `terms` is what it is bound to, in the words of the platform that gave it.
    """

    persona: Persona
    dies_at: float
    used: bool = False
    terms: Mapping[str, str] = field(default_factory=dict)


class Codes:
    """One-time codes of one kind. The dead are forgotten as new ones are given out."""

    def __init__(self, life_s: float, most: int) -> None:
        self._life_s = life_s
        self._most = most
        self._codes: dict[str, Code] = {}
        # All live equally long, so the order of birth is the order of death.
        self._queue: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._codes)

    def issue(self, persona: Persona, now: float, terms: Mapping[str, str] | None = None) -> str:
        """Give the person a fresh code."""
        self._forget(now)
        text = secrets.token_urlsafe(24)
        self._codes[text] = Code(persona, now + self._life_s, terms=terms or {})
        self._queue.append(text)
        return text

    def find(self, text: str, now: float) -> Code | None:
        """Return the code, spent or not, while it lives."""
        code = self._codes.get(text)
        return code if code is not None and now < code.dies_at else None

    def _forget(self, now: float) -> None:
        # A few at a time: a burst of codes must not die in one long pause.
        for _ in range(16):
            if not self._queue:
                return
            oldest = self._queue[0]
            if len(self._queue) < self._most and now < self._codes[oldest].dies_at:
                return
            self._queue.popleft()
            del self._codes[oldest]
