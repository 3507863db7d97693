"""Many callbacks of one moment: stored together, refused together, each for itself."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest

from models import inbox
from models.database import StatementCount, rows
from models.gathering import Gathered
from models.inbox import News
from server.payments.refused_callbacks import MOST_A_SECOND, RefusedCallbacks
from tests.conftest import Api
from tests.payments.money import NOW, a_bill, an_order, row_of


async def news_of(order_id: UUID, event: str, **other: object) -> News:
    order = await row_of("pay_order", order_id)
    facts: dict[str, object] = {
        "channel": "wechat",
        "event_id": event,
        "signed_at": NOW,
        "digest": "0" * 64,
        "number": order["order_no"],
        "amount_fen": order["amount_fen"],
        "said": "unpaid",
        "channel_no": None,
        "happened_at": None,
    }
    return News(**(facts | other))  # type: ignore[arg-type] # a test's own facts


async def counted(channel: str) -> list[int]:
    """How many refusals of a channel each row of the audit log stands for."""
    found = await rows(
        "SELECT coalesce((detail->>'many')::int, 1) AS many FROM audit_entry"
        " WHERE action = 'callback.refused' AND subject_id = $1 ORDER BY seq",
        channel,
    )
    return [row["many"] for row in found]


async def until_rows(channel: str, many: int) -> list[int]:
    """The same, once there are so many rows."""
    async with asyncio.timeout(30):
        while True:
            if len(found := await counted(channel)) >= many:
                return found
            await asyncio.sleep(0.05)


async def test_what_comes_meanwhile_is_made_together_and_nobody_is_told_before_it_is_safe() -> None:
    together: list[list[int]] = []
    begun, last_begun, may_end, safe = (asyncio.Event() for _ in range(4))

    async def make_all(wishes: Sequence[int]) -> list[int]:
        together.append(list(wishes))
        begun.set()
        if wishes[-1] == 5:
            last_begun.set()
        await may_end.wait()
        if 13 in wishes:
            raise asyncpg.DataError("no such thing")
        return [2 * wish for wish in wishes]

    async def flushed(made: Sequence[int]) -> None:
        await safe.wait()

    gathered = Gathered(make_all, safe=flushed, most=4)
    first = asyncio.create_task(gathered.make(1))
    await begun.wait()
    others = [asyncio.create_task(gathered.make(each)) for each in (2, 3, 13, 4, 5)]
    await asyncio.sleep(0)
    others[1].cancel()  # it has not begun: nobody wishes it any more
    may_end.set()
    await last_begun.wait()
    await asyncio.sleep(0)
    assert not any(each.done() for each in (first, others[0]))
    safe.set()
    told = await asyncio.gather(first, *others, return_exceptions=True)
    assert [each for each in told if isinstance(each, int)] == [2, 4, 8, 10]
    assert isinstance(told[2], asyncio.CancelledError)
    assert isinstance(told[3], asyncpg.DataError)
    assert together[:2] == [[1], [2, 13, 4, 5]]


async def test_forty_pieces_of_news_cost_a_few_statements_and_a_poisoned_one_hurts_no_other(
    api: Api,
) -> None:
    order = await an_order(await a_bill())
    good = [await news_of(order, f"{order}-{nth}") for nth in range(40)]
    strange = await news_of(order, f"{order}-strange", number="YTNOBODYS00")
    other = await news_of(order, f"{order}-other", amount_fen=1)
    before = StatementCount.total
    kept = await asyncio.gather(*(inbox.keep(each) for each in [*good, good[0], strange, other]))
    assert StatementCount.total - before <= 8
    assert [each.known and each.fits for each in kept] == [True] * 41 + [False] * 2
    assert (kept[41].known, kept[42].known) == (False, True)
    assert len({each.id for each in kept[:40]} - {None}) == 40
    again = await asyncio.gather(*(inbox.keep(each) for each in good))
    assert all(each.known and each.fits and each.id is None for each in again)
    poisoned = await news_of(order, f"{order}-nul", channel_no="4200\0")
    late = [await news_of(order, f"{order}-late-{nth}") for nth in range(5)]
    told = await asyncio.gather(
        *(inbox.keep(each) for each in [*late[:3], poisoned, *late[3:]]), return_exceptions=True
    )
    assert isinstance(told.pop(3), asyncpg.DataError)
    assert all(isinstance(each, inbox.Kept) and each.id is not None for each in told)
    (found,) = await rows("SELECT count(*) AS n FROM callback_inbox WHERE order_id = $1", order)
    assert found["n"] == 45


async def test_a_flood_of_forgeries_is_counted_in_one_row(api: Api) -> None:
    audit = RefusedCallbacks()
    writing = asyncio.create_task(audit.write_forever())
    many = 3 * MOST_A_SECOND
    try:
        noted = await asyncio.gather(*(audit.note("flooded", "stale") for _ in range(many)))
        found = await until_rows("flooded", sum(noted) + 1)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert MOST_A_SECOND <= sum(noted) < many
    assert sum(found) == many


async def test_what_could_not_be_audited_is_counted_once_the_store_is_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit, write = RefusedCallbacks(), RefusedCallbacks._write
    away = True

    async def while_away(self: RefusedCallbacks, *given: object) -> None:
        if away:
            raise ConnectionError
        await write(self, *given)  # type: ignore[arg-type] # as it was called

    monkeypatch.setattr(RefusedCallbacks, "_write", while_away)
    writing = asyncio.create_task(audit.write_forever())
    try:
        await asyncio.gather(*(audit.note("cut-off", "stale") for _ in range(3)))
        away = False
        found = await until_rows("cut-off", 1)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert found == [3]
