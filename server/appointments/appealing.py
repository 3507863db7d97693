"""Appeals against a block: said once, heard once by a manager of the hall whose rule it was."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from models import no_shows
from models.audit import Entry, record
from models.database import Transaction
from models.joined import held
from models.tickets import Actor
from scheduler.calendar import SHANGHAI
from server.again import until_done
from server.appointments.refusals import AlreadyAppealed, AppealDecided, NotBlocked
from server.auth import Principal
from server.errors import NotFound
from server.halls.directory import HallEntry


async def appeal(who: Principal, sealed_for: Callable[[UUID], bytes], *, now: datetime) -> UUID:
    """Say something against being blocked.

    Raises NotBlocked, AlreadyAppealed while nobody has decided, or AppealDecided.
    """
    found = await no_shows.blocks_of(who.id, now)
    if not found:
        raise NotBlocked

    async def work(tx: Transaction) -> UUID:
        await held(tx, who.id)
        row = await no_shows.hold_block(tx, found[0]["id"])
        if row is None:
            raise NotBlocked
        if row["decided_at"] is not None:
            raise AppealDecided
        if row["appealed_at"] is not None:
            said = row["appealed_at"].astimezone(SHANGHAI)
            raise AlreadyAppealed(
                (
                    f"您已于 {said:%Y-%m-%d %H:%M} 提出申诉，正在等待大厅处理。",
                    f"You appealed on {said:%Y-%m-%d %H:%M}; the hall has yet to decide.",
                )
            )
        await no_shows.appeal(tx, row["id"], sealed_for(row["id"]), now)
        block_id: UUID = row["id"]
        return block_id

    return await until_done(work)


async def decide(
    hall: HallEntry, block_id: UUID, who: Principal, *, granted: bool, now: datetime
) -> None:
    """Decide about an appeal to this hall, once. Raises NotFound or AppealDecided."""

    async def work(tx: Transaction) -> None:
        row = await no_shows.hold_block(tx, block_id)
        if row is None or row["hall_id"] != hall.id or row["appealed_at"] is None:
            raise NotFound
        if row["decided_at"] is not None:
            at = row["decided_at"].astimezone(SHANGHAI)
            how, how_en = ("通过", "granted") if row["granted"] else ("驳回", "refused")
            raise AppealDecided(
                (
                    f"该申诉已于 {at:%Y-%m-%d %H:%M} {how}。",
                    f"This appeal was {how_en} on {at:%Y-%m-%d %H:%M}.",
                )
            )
        await no_shows.decide(tx, block_id, granted=granted, by=who.id, now=now)
        entry = Entry(
            Actor("staff", who.id),
            "booking_block.decided",
            "booking_block",
            block_id,
            detail={"hall": hall.code, "granted": granted},
        )
        await record(tx, entry)

    await until_done(work)
