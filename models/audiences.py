"""Audiences: who let be known what rules ask, read by the ten thousand in the order of their ids.

One pass reads each person once, whatever the number of rules. What somebody did not let be used for
the purpose does not leave the database, and no column is read that no rule asked for. A pass holds
one page of people in memory; between two pages it holds neither a connection nor a snapshot.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from models.asked import Asking, asking_of
from models.consents import BITS, MAY_READ, Purpose
from models.copying import DATE, INT, UUID_BYTES, copied
from models.database import Transaction, transaction
from scheduler.matching.columns import Columns
from scheduler.matching.rules import Rule

PAGE: Final = 50_000  # people looked at together
BATCH: Final = 5_000  # people handed on together
# A page takes PostgreSQL well under a second; whoever waits longer asks in vain.
_PAGE_WITHIN_S: Final = 30.0
_EVERYBODY: Final = 2**31 - 1
_EVERYBODY_WITHIN_S: Final = 300.0
_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEFORE_ALL: Final = UUID(int=0)

_PEOPLE: Final = """
    SELECT k.citizen_id,
        CASE WHEN k.groups & {age} <> 0 THEN coalesce(t.born, '-infinity')
             ELSE '-infinity' END::date,
        CASE WHEN k.groups & {residence} = 0 OR t.residence IS NULL THEN -1
             ELSE coalesce(array_position($4::text[], t.residence::text), 0) END::int4,
        CASE WHEN k.groups & {family} <> 0 THEN coalesce(t.household, -1) ELSE -1 END::int4,
        CASE WHEN k.groups & {family} <> 0 THEN coalesce(t.youngest_born, '-infinity')
             ELSE '-infinity' END::date,
        CASE WHEN k.groups & {company} <> 0 THEN coalesce(t.has_company::int, -1) ELSE -1 END::int4,
        k.groups::int4
    FROM consent k LEFT JOIN trait t ON t.citizen_id = k.citizen_id
    WHERE k.purpose = $1 AND k.citizen_id > $2
    ORDER BY k.citizen_id LIMIT $3
""".format(**BITS)
_PEOPLE_COLUMNS: Final = {
    "id": UUID_BYTES,
    "born": DATE,
    "residence": INT,
    "household": INT,
    "youngest_born": DATE,
    "has_company": INT,
    "groups": INT,
}
# The same people, by where they stand in the page; only those who let the group be used.
_HERS: Final = """
    WITH her AS MATERIALIZED (
        SELECT citizen_id, (row_number() OVER (ORDER BY citizen_id) - 1)::int4 AS at, groups
        FROM consent WHERE purpose = $1 AND citizen_id > $2 AND citizen_id <= $3
    )
"""
_DONE: Final = f"""{_HERS}
    SELECT her.at, array_position($4::text[], i.code::text)::int4, max(t.day)
    FROM her JOIN ticket t ON t.citizen_id = her.citizen_id JOIN item i ON i.id = t.item_id
    WHERE her.groups & {BITS["items"]} <> 0 AND t.state = 'finished' AND i.code = ANY($4::text[])
      AND t.citizen_id > $2 AND t.citizen_id <= $3
    GROUP BY her.at, i.code
"""
_HELD: Final = f"""{_HERS}
    SELECT her.at, array_position($4::text[], c.kind::text)::int4,
           coalesce(c.expires_on, '-infinity'::date)
    FROM her JOIN certificate c ON c.citizen_id = her.citizen_id
    WHERE her.groups & {BITS["certificates"]} <> 0 AND c.kind = ANY($4::text[])
      AND c.citizen_id > $2 AND c.citizen_id <= $3
"""
_FOLLOWED: Final = f"""{_HERS}
    SELECT her.at, array_position($4::text[], f.topic::text)::int4, '-infinity'::date
    FROM her JOIN topic_follow f ON f.citizen_id = her.citizen_id
    WHERE her.groups & {BITS["topics"]} <> 0 AND f.topic = ANY($4::text[])
      AND f.citizen_id > $2 AND f.citizen_id <= $3
"""
_OF_HERS: Final = {"at": INT, "which": INT, "day": DATE}
_TOLD_APART: Final = {"items": _DONE, "certificates": _HELD, "topics": _FOLLOWED}


class ReadsTooMuch(ValueError):
    """A rule reads groups that are never used for this purpose; `groups` says which."""

    def __init__(self, groups: Collection[str]) -> None:
        super().__init__(", ".join(sorted(groups)))
        self.groups = sorted(groups)


@dataclass(frozen=True, slots=True)
class Page:
    """Some people in the order of their ids, and what rules asked of them, column by column."""

    ids: NDArray[np.bytes_]
    columns: Columns
    # What each let be used for the purpose, as it is kept.
    groups: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    def id_at(self, at: int) -> UUID:
        """Who stands there."""
        return _uuid(self.ids[at])

    def ids_at(self, at: NDArray[np.intp]) -> list[UUID]:
        """Who stands at these places."""
        return [_uuid(each) for each in self.ids[at].tolist()]


def _uuid(sent: bytes) -> UUID:
    """An id as it came: numpy leaves out zeros at the end."""
    return UUID(bytes=bytes(sent).ljust(16, b"\0"))


async def pages(
    rules: Sequence[Rule],
    purpose: Purpose,
    *,
    today: date,
    after: UUID | None = None,
    page: int = PAGE,
) -> AsyncIterator[Page]:
    """Everybody who consents to the purpose, page by page, and all that these rules ask of them.

    Raises ReadsTooMuch.
    """
    if beyond := frozenset().union(*(each.reads for each in rules)) - MAY_READ[purpose]:
        raise ReadsTooMuch(beyond)
    asking, last = asking_of(rules), after or _BEFORE_ALL
    while True:
        async with transaction(_SNAPSHOT) as tx:
            found = await _page(tx, _Look(asking, purpose, today, page), last)
        if not len(found):
            return
        last = found.id_at(-1)
        yield found
        if len(found) < page:
            return


@dataclass(frozen=True, slots=True)
class _Look:
    """What is asked of whom."""

    asking: Asking
    purpose: Purpose
    today: date
    page: int


async def _page(tx: Transaction, look: _Look, after: UUID) -> Page:
    people = await copied(
        tx,
        _PEOPLE,
        look.purpose.value,
        after,
        look.page,
        list(look.asking.places),
        columns=_PEOPLE_COLUMNS,
        timeout_s=_PAGE_WITHIN_S,
    )
    ids, groups = people["id"], people["groups"].astype(np.int32)
    if not len(people):
        return Page(ids, {}, groups)
    last = _uuid(ids[-1])
    hers = {
        group: await copied(
            tx,
            query,
            look.purpose.value,
            after,
            last,
            list(names),
            columns=_OF_HERS,
            timeout_s=_PAGE_WITHIN_S,
        )
        for group, query in _TOLD_APART.items()
        if (names := look.asking.names(group))
    }
    # Others go on meanwhile: of 50,000 people it takes a tenth of a second.
    columns = await asyncio.to_thread(look.asking.columns, people, hers, look.today)
    return Page(ids, columns, groups)


async def audience(
    rule: Rule,
    purpose: Purpose,
    *,
    today: date,
    after: UUID | None = None,
    batch: int = BATCH,
) -> AsyncIterator[list[UUID]]:
    """Whom a rule concerns, of those who consent to the purpose, in the order of their ids.

    In lists of at most `batch` ids, none empty; `after` goes on behind an id that came before.
    Nothing is held between two lists, however long they take. Who withdraws later is still in a
    list that was made before: whoever writes to her asks for her consent in the statement that
    does (`models.purpose_notices`). `today` is the business day. Raises ReadsTooMuch.
    """
    async for page in pages([rule], purpose, today=today, after=after):
        concerned = await asyncio.to_thread(rule.concerned, page.columns, len(page))
        found = np.flatnonzero(concerned)
        for start in range(0, len(found), batch):
            yield page.ids_at(found[start : start + batch])


async def consenting(purpose: Purpose) -> int:
    """How many let something be used for a purpose."""
    async with transaction() as tx:
        row = await tx.row("SELECT count(*) AS many FROM consent WHERE purpose = $1", purpose.value)
    assert row is not None, "a count always is"
    return int(row["many"])


async def streamed_only(rules: Sequence[Rule], purpose: Purpose) -> int:
    """Let PostgreSQL send all that `pages` would ask of everybody, at one go, and keep nothing of
    it; how many bytes came. What a pass is measured against.
    """
    asking, last = asking_of(rules), UUID(int=2**128 - 1)
    people = (_PEOPLE, purpose.value, _BEFORE_ALL, _EVERYBODY, list(asking.places))
    hers = [
        (query, purpose.value, _BEFORE_ALL, last, list(asking.names(group)))
        for group, query in _TOLD_APART.items()
        if asking.names(group)
    ]
    sent = 0

    async def let_go(data: bytes) -> None:
        nonlocal sent
        sent += len(data)

    async with transaction(_SNAPSHOT) as tx:
        for query, *args in (people, *hers):
            await tx.connection.copy_from_query(
                query, *args, output=let_go, format="binary", timeout=_EVERYBODY_WITHIN_S
            )
    return sent
