"""Who does not come: marked by rule, counted, blocked after some, pardoned by a manager."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from models import booking, booking_steps, no_shows, notices
from models.appointments import AppointmentState, Pardon, Step, after
from models.audit import Entry, record
from models.booking import Whose
from models.database import Transaction
from models.notice_kinds import NoticeKind
from models.outages import OutageKind, outages_of
from models.tickets import SYSTEM, Actor
from scheduler.booking import check_in_times, excuses, missed_at
from scheduler.calendar import SHANGHAI, is_open
from server.again import until_done
from server.appointments.changing import let_go
from server.appointments.views import AppointmentView, Excuse, appointment
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound
from server.halls.directory import Directory, HallEntry


async def miss(appointment_id: UUID, now: datetime, directory: Directory) -> set[UUID]:
    """Mark an appointment whose holder did not come in time; the slots that it frees.

    Where the hall was closed, its line took nobody, or our own service was away, nobody missed
    anything: it is cancelled, and the event says why.
    """

    async def work(tx: Transaction) -> set[UUID]:
        row = await booking_steps.hold(tx, appointment_id, or_skip=True)
        if row is None or row["state"] != AppointmentState.BOOKED:
            return set()
        hall = directory.hall_by_id(row["hall_id"])
        if now <= missed_at(row["slot_start"], hall.booking):
            return set()
        excuse = await _excuse(tx, row, hall)
        step = Step.CANCEL if excuse else Step.MISS
        await booking_steps.take_step(
            tx,
            row,
            step,
            after(AppointmentState.BOOKED, step),
            now=now,
            actor=SYSTEM,
            version=microseconds(),
            detail=excuse,
        )
        freed = await let_go(tx, row, now=now, directory=directory)
        if step is Step.MISS:
            await _block_if_due(tx, row["slot_start"], booking.whose(row), hall, now)
        return freed

    return await until_done(work)


async def _excuse(tx: Transaction, row: Any, hall: HallEntry) -> Excuse | None:
    """Why it was not for her that she did not come; None where it was."""
    if row["must_move"]:
        return "hours_changed"
    start = row["slot_start"]
    if not is_open(hall.timetable, start):
        return "hall_closed"
    for one in await outages_of(tx, row["line_id"], *check_in_times(start, hall.booking)):
        if excuses(one["since"], one["until"], start, hall.booking):
            return OutageKind(one["kind"]).value
    return None


async def _block_if_due(
    tx: Transaction, slot_start: datetime, whose: Whose, hall: HallEntry, now: datetime
) -> None:
    """Block, or warn that one more does; she is told, and not who booked for her."""
    rules = hall.booking
    if not rules.no_shows_to_block or (whose.citizen_id or whose.person_key) is None:
        return
    since = now - timedelta(days=rules.no_show_days)
    many = await no_shows.counted(tx, whose.person, since, citizen=whose.citizen_id is not None)
    kind, facts = None, {}
    if many >= rules.no_shows_to_block:
        until = now + timedelta(days=rules.block_days)
        await no_shows.block(tx, whose.person, hall.id, now=now, until=until)
        kind, facts = NoticeKind.BOOKING_BLOCKED, {"day": until.isoformat()}
    elif many == rules.no_shows_to_block - 1:
        kind, facts = NoticeKind.BOOKING_WARNED, {"many": str(many)}
    if kind is not None and whose.citizen_id is not None:
        told = notices.New(
            event_key=f"{kind}:{slot_start.astimezone(SHANGHAI):%Y-%m-%dT%H:%M}",
            citizen_id=whose.citizen_id,
            kind=kind,
            facts=msgspec.json.encode(facts).decode(),
            happened_at=now,
            hall_id=hall.id,
        )
        await notices.write([told], tx=tx)


async def pardon(
    hall: HallEntry,
    appointment_id: UUID,
    why: Pardon,
    who: Principal,
    *,
    now: datetime,
    directory: Directory,
) -> AppointmentView:
    """Let a missed appointment of this hall not count; a block that came of it ends.

    Raises NotFound, or WrongState unless it was missed.
    """

    async def work(tx: Transaction) -> AppointmentView:
        row = await booking_steps.hold(tx, appointment_id)
        if row is None or row["hall_id"] != hall.id:
            raise NotFound
        state = after(AppointmentState(row["state"]), Step.PARDON)
        actor, version = Actor("staff", who.id), microseconds()
        await booking_steps.take_step(
            tx,
            row,
            Step.PARDON,
            state,
            now=now,
            actor=actor,
            version=version,
            detail=why.value,
        )
        await no_shows.pardon(tx, appointment_id, why, now=now, version=version)
        whose = booking.whose(row)
        if whose.citizen_id or whose.person_key:
            await no_shows.lift(tx, whose.person, row["slot_start"], now=now)
        view = await appointment(appointment_id, directory, tx)
        assert view is not None, "its row is locked"
        behalf = whose.citizen_id or whose.proxy_id
        entry = Entry(
            actor,
            "appointment.pardoned",
            "appointment",
            appointment_id,
            on_behalf_of=behalf,
            detail={"hall": hall.code, "reason": why.value},
        )
        await record(tx, entry)
        return view

    return await until_done(work)
