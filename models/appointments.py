"""Appointments 预约: their states, the transitions between them, and what happened to each."""

from enum import StrEnum
from typing import Final

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.people import Citizen
from models.slots import Part
from models.tickets import WrongState


class AppointmentState(StrEnum):
    """Where an appointment is in its life."""

    HELD = "held"  # a place is kept for a few minutes until she confirms
    OFFERED = "offered"  # a freed place is kept for who waited for one
    BOOKED = "booked"
    CHECKED_IN = "checked_in"  # she came, and has a ticket
    MISSED = "missed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # held or offered, and not confirmed in time


class Step(StrEnum):
    """What can happen to an appointment; the kind of its event row."""

    HOLD = "hold"
    BOOK = "book"
    OFFER = "offer"
    CONFIRM = "confirm"
    EXPIRE = "expire"
    RESCHEDULE = "reschedule"
    CANCEL = "cancel"
    CHECK_IN = "check_in"
    MISS = "miss"
    PARDON = "pardon"  # a manager lets a missed one not count


_S = AppointmentState
# (state, step) -> next state. What is not in here cannot happen.
STEPS: Final[dict[tuple[AppointmentState, Step], AppointmentState]] = {
    (_S.HELD, Step.CONFIRM): _S.BOOKED,
    (_S.HELD, Step.CANCEL): _S.CANCELLED,
    (_S.HELD, Step.EXPIRE): _S.EXPIRED,
    (_S.OFFERED, Step.CONFIRM): _S.BOOKED,
    (_S.OFFERED, Step.CANCEL): _S.CANCELLED,
    (_S.OFFERED, Step.EXPIRE): _S.EXPIRED,
    (_S.BOOKED, Step.RESCHEDULE): _S.BOOKED,
    (_S.BOOKED, Step.CANCEL): _S.CANCELLED,
    (_S.BOOKED, Step.CHECK_IN): _S.CHECKED_IN,
    (_S.BOOKED, Step.MISS): _S.MISSED,
    (_S.MISSED, Step.PARDON): _S.MISSED,
}
# Whose places are taken: as long as it is in one of these it holds them.
HOLDING: Final = frozenset({_S.HELD, _S.OFFERED, _S.BOOKED, _S.CHECKED_IN})
# One a person, item and day: the key that holds it.
ONCE: Final = "appointment_once_pkey"


def after(state: AppointmentState, step: Step) -> AppointmentState:
    """The state that follows. Raises WrongState when the step is not possible from here."""
    try:
        return STEPS[state, step]
    except KeyError:
        raise WrongState(f"{step} from {state}", state) from None


class Pardon(StrEnum):
    """Why somebody who did not come is not held to it."""

    SICK_CHILD = "sick_child"
    ILLNESS = "illness"
    TRAFFIC = "traffic"
    OUR_FAULT = "our_fault"
    OTHER = "other"


class Appointment(Model):
    """A place booked in one slot, or in several in a row. Whose it is is told as a ticket tells it.

    While it holds its places there is a row of `appointment_place` for each slot, and one of
    `appointment_once` for the person, item and day.
    """

    id = fields.UUIDField(primary_key=True)
    hall_id = fields.UUIDField()
    line_id = fields.UUIDField()
    item_id = fields.UUIDField()
    # All items that it is for, the first among them.
    items = ArrayField(element_type="uuid", db_default=[])
    citizen: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "appointments", null=True, on_delete=OnDelete.RESTRICT
    )
    acting: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "appointments_for_others", null=True, on_delete=OnDelete.RESTRICT
    )
    proxy_id = fields.UUIDField(null=True)
    person_key = fields.UUIDField(null=True)
    # Of who has no account and was booked by the hall: what is shown of her name, and her name and
    # telephone as they were said, sealed. Forgotten some days after it is over.
    shown_as = fields.CharField(max_length=16, null=True)
    name = fields.BinaryField(null=True)
    phone = fields.BinaryField(null=True)
    part = fields.CharEnumField(Part, max_length=12)
    day = fields.DateField()
    slot_start = fields.DatetimeField()
    slot_end = fields.DatetimeField()
    state = fields.CharEnumField(AppointmentState, max_length=12)
    made_at = fields.DatetimeField()
    held_until = fields.DatetimeField(null=True)
    booked_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    # What her phone shows and the hall reads.
    check_in_code = fields.CharField(max_length=16, unique=True)
    ticket_id = fields.UUIDField(null=True, unique=True)
    waitlist_id = fields.UUIDField(null=True)
    # The hall's hours changed: her slot is no more, or takes fewer. She is offered another.
    must_move = fields.BooleanField(db_default=False)
    pardoned_at = fields.DatetimeField(null=True)
    pardon = fields.CharEnumField(Pardon, max_length=12, null=True)
    # What of all to bring she says she has, as `kind:name`.
    papers = ArrayField(element_type="text", db_default=[])
    # How many steps it has taken: calendars take what is later than what they have.
    revision = fields.IntField(db_default=0)
    # Real microseconds of the last change; rises with every step.
    version = fields.BigIntField()

    class Meta:
        table = "appointment"
        indexes = (
            Index(fields=("citizen_id", "id"), name="appointment_of_citizen"),
            Index(fields=("acting_id", "id"), name="appointment_of_acting"),
            Index(fields=("person_key",), name="appointment_of_person"),
            Index(fields=("hall_id", "day", "slot_start"), name="appointment_of_hall"),
        )
        constraints = (
            CheckConstraint(
                check="(ended_at IS NULL) = (state IN ('held', 'offered', 'booked'))",
                name="appointment_open_until_ended",
            ),
            CheckConstraint(
                check="state NOT IN ('held', 'offered') OR held_until IS NOT NULL",
                name="appointment_held_until",
            ),
            CheckConstraint(check="slot_end > slot_start", name="appointment_has_time"),
        )


class AppointmentEvent(Model):
    """One thing that happened to an appointment: who, when, what, for which slot. Never changed."""

    id = fields.BigIntField(primary_key=True, generated=True)
    appointment_id = fields.UUIDField()
    hall_id = fields.UUIDField()
    at = fields.DatetimeField()
    step = fields.CharEnumField(Step, max_length=12)
    state = fields.CharEnumField(AppointmentState, max_length=12)
    slot_start = fields.DatetimeField()
    actor_kind = fields.CharField(max_length=16)
    actor_id = fields.UUIDField(null=True)
    on_behalf_of = fields.UUIDField(null=True)
    detail = fields.CharField(max_length=80, null=True)

    class Meta:
        table = "appointment_event"
        indexes = (("appointment_id", "id"),)


class BookingBlock(Model):
    """That somebody may not book until a moment, as she missed too often; ended by a pardon."""

    id = fields.UUIDField(primary_key=True)
    # The citizen, or the key of who has no account.
    person = fields.UUIDField(db_index=True)
    # The hall whose rule it was: its managers decide about an appeal.
    hall_id = fields.UUIDField(db_index=True)
    since = fields.DatetimeField()
    until = fields.DatetimeField()
    # What she says against it, sealed; what was decided, and by whom.
    appeal = fields.BinaryField(null=True)
    appealed_at = fields.DatetimeField(null=True)
    decided_at = fields.DatetimeField(null=True)
    decided_by = fields.UUIDField(null=True)
    granted = fields.BooleanField(null=True)

    class Meta:
        table = "booking_block"
