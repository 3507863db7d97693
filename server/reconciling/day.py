"""One day reconciled: statements fetched and verified, compared, and what is safe repaired."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import structlog

from integrations.ports_bill import BillDamaged, BillLine, DayBill, FundsChannel
from integrations.ports_payment import BillNotMade, ChannelUnavailable, PaymentChannel
from models.comparing import compare
from models.differing import Told
from models.reconciliation import Statement
from server.payments.looking import Channels
from server.reconciling.funds import compare_moved
from server.reconciling.repairing import repair

log = structlog.get_logger()

# How far something is: what is done, in a word, how many are done, and of how many, 0 if unknown.
Tell = Callable[[str, int, int], None]
_TELL_EVERY = 5_000


class Outcome(StrEnum):
    """What became of one statement."""

    COMPARED = "compared"
    NOT_MADE = "not_made"  # the channel has not made it yet
    AWAY = "away"  # it did not come
    DAMAGED = "damaged"  # it came, and has no sense or does not add up


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One statement of a day; `run_id` where it was compared, `why` where it was not."""

    channel: str
    statement: Statement
    outcome: Outcome
    run_id: UUID | None = None
    why: str | None = None


def silently(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


async def reconcile_day(
    channels: Channels,
    day: date,
    *,
    now: datetime,
    only: Sequence[str] = (),
    repairs: bool = True,
    tell: Tell = silently,
) -> list[Reconciled]:
    """Reconcile every channel's statements of a day, or of these channels only.

    One channel that is away keeps no other from it. Done again, nothing changes but what is
    different by then.
    """
    done = []
    with tempfile.TemporaryDirectory(prefix="yiting-statements-") as folder:
        for name, channel in channels.items():
            if not only or name in only:
                trades = await _trades(channel, day, Path(folder), now=now, tell=tell)
                if repairs and trades.run_id is not None:
                    await repair(trades.run_id, channels, now=now, tell=tell)
                done.append(trades)
                # After what the trades mended: what was paid is in the ledger by then.
                if isinstance(channel, FundsChannel):
                    done.append(await _funds(name, channel, day, Path(folder), now=now, tell=tell))
    return done


async def reconcile_file(
    channel: PaymentChannel, day: date, file: Path, *, now: datetime, tell: Tell = silently
) -> Reconciled:
    """Compare a statement that somebody downloaded by hand from the channel's own pages.

    Its lines and sums are checked; that it is the channel's is the word of who brings it.
    """
    size = (await asyncio.to_thread(file.stat)).st_size
    bill = DayBill(channel.name, day, file, size)
    return await _compared(channel, day, bill, now=now, tell=tell)


async def _trades(
    channel: PaymentChannel, day: date, folder: Path, *, now: datetime, tell: Tell
) -> Reconciled:
    """Fetch and compare a statement of payments and refunds."""
    tell(f"{channel.name} 下载对账单 fetching", 0, 0)
    bill = await _fetched(channel.fetch_bill(day, folder), channel.name, Statement.TRADES)
    if isinstance(bill, Reconciled):
        return bill
    try:
        return await _compared(channel, day, bill, now=now, tell=tell)
    finally:
        if bill is not None:
            # It names people's accounts, and a day of a million lines is large.
            bill.file.unlink(missing_ok=True)


async def _funds(
    name: str, channel: FundsChannel, day: date, folder: Path, *, now: datetime, tell: Tell
) -> Reconciled:
    """Fetch and compare a statement of how our account moved."""
    tell(f"{name} 下载资金账单 fetching", 0, 0)
    bill = await _fetched(channel.fetch_funds(day, folder), name, Statement.FUNDS)
    if isinstance(bill, Reconciled):
        return bill
    try:
        lines = channel.read_funds(bill) if bill else iter(())
        run_id = await compare_moved(name, day, lines, now=now)
    except BillDamaged as fault:
        return _damaged(name, Statement.FUNDS, fault)
    finally:
        if bill is not None:
            bill.file.unlink(missing_ok=True)
    return Reconciled(name, Statement.FUNDS, Outcome.COMPARED, run_id)


async def _fetched(
    fetching: Awaitable[DayBill | None], name: str, statement: Statement
) -> DayBill | Reconciled | None:
    """Give a statement, None where nothing happened that day, or what became of fetching it."""
    try:
        return await fetching
    except ChannelUnavailable as fault:
        not_made = isinstance(fault, BillNotMade)
        outcome = Outcome.NOT_MADE if not_made else Outcome.AWAY
        log.warning(
            "statement_not_fetched",
            channel=name,
            statement=statement.value,
            outcome=outcome.value,
        )
        return Reconciled(name, statement, outcome)


async def _compared(
    channel: PaymentChannel, day: date, bill: DayBill | None, *, now: datetime, tell: Tell
) -> Reconciled:
    told = Told()
    try:
        lines = _lines(channel, bill, told, tell) if bill else iter(())
        run_id = await compare(channel.name, day, lines, told, now=now)
    except BillDamaged as fault:
        return _damaged(channel.name, Statement.TRADES, fault)
    return Reconciled(channel.name, Statement.TRADES, Outcome.COMPARED, run_id)


def _damaged(name: str, statement: Statement, fault: BillDamaged) -> Reconciled:
    log.error(
        "statement_damaged",
        channel=name,
        statement=statement.value,
        why=fault.why,
        line=fault.line,
    )
    why = fault.why if fault.line is None else f"{fault.why}, line {fault.line}"
    return Reconciled(name, statement, Outcome.DAMAGED, why=why)


def _lines(
    channel: PaymentChannel, bill: DayBill, told: Told, tell: Tell
) -> Iterator[tuple[object, ...]]:
    """Give a statement's lines as they are compared, and count what they say."""
    what = f"{channel.name} 比对 comparing"
    return counted(channel.read_bill(bill), told, lambda: tell(what, told.lines, 0))


def counted(
    lines: Iterator[BillLine], told: Told, every_now_and_then: Callable[[], None] = lambda: None
) -> Iterator[tuple[object, ...]]:
    """Give lines as `Line` has them, adding up in `told` what they say."""
    for order_no, refund_no, channel_no, _, fen, fee_fen, state, at in lines:
        told.lines += 1
        told.fees_fen += fee_fen
        if refund_no is None:
            told.payments += 1
            told.paid_fen += fen
            yield order_no, False, channel_no, fen, None, at
        else:
            if state != "failed":
                told.back_fen += fen
            yield refund_no, True, channel_no, fen, state, at
        if told.lines % _TELL_EVERY == 0:
            every_now_and_then()
