"""Slots 时段: how many may come when, and how many have booked.

A slot's counters are moved by a trigger on `appointment_place`, one row for each place that an
appointment holds, and a CHECK on the slot's row keeps them within what it has: whoever writes a
place, by whatever way, waits for the slot's row and is refused when it is full.
"""

from enum import StrEnum
from typing import Any, Final

from tortoise import fields
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model


class SlotState(StrEnum):
    """Whether a slot may be booked at all."""

    OPEN = "open"
    CLOSED = "closed"  # the hours changed, or a manager closed it


class Part(StrEnum):
    """Which part of a slot's places: everybody's, or one kept for a group."""

    EVERYBODY = "everybody"
    ELDERS = "elders"
    COMPANIES = "companies"
    DESK = "desk"  # whom the hall books by itself: at its desk, or by telephone


# What the database says when a slot has no room, and when it is closed or gone.
SLOT_FULL: Final = frozenset(
    {"slot_room", "slot_room_elders", "slot_room_companies", "slot_room_desk"}
)
SLOT_CLOSED: Final = "slot_open"


class Slot(Model):
    """So many places from one moment to another in a line, or for one item that has its own.

    `planned` is what its counters can serve; `capacity` is that, or as many as had booked before
    fewer were planned. `overbooking` more may book, as some will not come.
    """

    id = fields.UUIDField(primary_key=True)
    hall_id = fields.UUIDField()
    line_id = fields.UUIDField()
    item_id = fields.UUIDField(null=True)
    day = fields.DateField()
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField()
    state = fields.CharEnumField(SlotState, max_length=8)
    planned = fields.SmallIntField()
    capacity = fields.SmallIntField()
    overbooking = fields.SmallIntField(db_default=0)
    for_elders = fields.SmallIntField(db_default=0)
    for_companies = fields.SmallIntField(db_default=0)
    for_desk = fields.SmallIntField(db_default=0)
    taken = fields.SmallIntField(db_default=0)
    taken_elders = fields.SmallIntField(db_default=0)
    taken_companies = fields.SmallIntField(db_default=0)
    taken_desk = fields.SmallIntField(db_default=0)
    # How many its counters can serve in all, and how many come then without booking, as is usual.
    serves = fields.FloatField(db_default=0)
    walk_ins = fields.FloatField(db_default=0)
    # A manager said how many places it has, or that it is closed: planning leaves it alone.
    overridden = fields.BooleanField(db_default=False)

    class Meta:
        table = "slot"
        indexes = (
            Index(fields=("hall_id", "starts_at"), name="slot_of_hall"),
            Index(fields=("line_id", "starts_at"), name="slot_of_line"),
        )
        constraints = (
            CheckConstraint(
                check="taken >= 0 AND taken + for_elders + for_companies + for_desk"
                " <= capacity + overbooking",
                name="slot_room",
            ),
            CheckConstraint(
                check="taken_elders >= 0 AND taken_elders <= for_elders", name="slot_room_elders"
            ),
            CheckConstraint(
                check="taken_companies >= 0 AND taken_companies <= for_companies",
                name="slot_room_companies",
            ),
            CheckConstraint(
                check="taken_desk >= 0 AND taken_desk <= for_desk", name="slot_room_desk"
            ),
            CheckConstraint(
                check="planned >= 0 AND capacity >= planned AND overbooking >= 0",
                name="slot_planned",
            ),
            CheckConstraint(check="ends_at > starts_at", name="slot_has_time"),
        )


class SlotPlan(Model):
    """How a manager plans the slots of a line, or of one item apart; what is null is as usual."""

    id = fields.UUIDField(primary_key=True)
    hall_id = fields.UUIDField(db_index=True)
    line_id = fields.UUIDField()
    item_id = fields.UUIDField(null=True)
    slot_min = fields.SmallIntField(null=True)
    counters = fields.SmallIntField(null=True)
    share_percent = fields.SmallIntField(null=True)
    # So many places in each slot, whatever the counters could serve.
    places = fields.SmallIntField(null=True)
    elders_percent = fields.SmallIntField(null=True)
    companies_percent = fields.SmallIntField(null=True)
    desk_percent = fields.SmallIntField(null=True)
    # When it may be booked, within the hall's hours: `[[weekday, start_minute, end_minute], …]`.
    hours: fields.Field[list[Any] | None] = fields.JSONField(null=True)

    class Meta:
        table = "slot_plan"


class WaitlistState(StrEnum):
    """Where somebody stands who waits for a place."""

    WAITING = "waiting"
    OFFERED = "offered"
    BOOKED = "booked"
    PASSED = "passed"  # she let an offer go by
    LEFT = "left"  # she waits no more, or has no account any more
    OVER = "over"  # her time has passed without a place


class Waitlist(Model):
    """Somebody who waits for a place at a hall on a day between two moments, in order of ids."""

    id = fields.UUIDField(primary_key=True)
    hall_id = fields.UUIDField()
    line_id = fields.UUIDField()
    item_id = fields.UUIDField()
    citizen: Any = fields.ForeignKeyField(
        "models.Citizen", "waitlist", null=True, on_delete=OnDelete.RESTRICT
    )
    acting: Any = fields.ForeignKeyField(
        "models.Citizen", "waitlist_for_others", null=True, on_delete=OnDelete.RESTRICT
    )
    proxy_id = fields.UUIDField(null=True)
    person_key = fields.UUIDField(null=True)
    part = fields.CharEnumField(Part, max_length=12)
    day = fields.DateField()
    # How many slots in a row her item takes.
    many = fields.SmallIntField()
    starts_from = fields.DatetimeField()
    until = fields.DatetimeField()
    state = fields.CharEnumField(WaitlistState, max_length=8)
    joined_at = fields.DatetimeField()
    # The place offered to her last.
    appointment_id = fields.UUIDField(null=True)

    class Meta:
        table = "waitlist"
        indexes = (
            Index(fields=("citizen_id", "id"), name="waitlist_of_citizen"),
            Index(fields=("acting_id", "id"), name="waitlist_of_acting"),
            Index(fields=("person_key",), name="waitlist_of_person"),
        )
        constraints = (
            UniqueConstraint(
                fields=("citizen_id", "item_id", "day"),
                name="waitlist_once",
                condition="state IN ('waiting', 'offered')",
            ),
            UniqueConstraint(
                fields=("person_key", "item_id", "day"),
                name="waitlist_once_for",
                condition="state IN ('waiting', 'offered') AND person_key IS NOT NULL",
            ),
        )
