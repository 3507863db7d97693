"""Visits 联办: one sign-in for several items; their stops, and the bundles that name such items."""

from enum import StrEnum
from typing import Any, Final

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.models import Model

from models.halls import Hall
from models.items import Item
from models.people import Citizen

FORM: Final = "visit.form"


class VisitState(StrEnum):
    """Whether a visit goes on, and how it ended."""

    OPEN = "open"
    FINISHED = "finished"  # all its stops are done, or left out
    CANCELLED = "cancelled"  # she gave it up, or did none of it
    DAY_ENDED = "day_ended"


class Left(StrEnum):
    """Why a stop is left out."""

    SKIPPED = "skipped"  # she does not want it
    NOT_OFFERED = "not_offered"  # not at the hall where she is now
    ALREADY_IN_LINE = "already_in_line"  # she has another number for it
    VISIT_ENDED = "visit_ended"


class Bundle(Model):
    """A bundle 一件事: items that belong together in somebody's life, and the form for all of them.

    `stops` are `{item, after: [codes]}` in order, `form` its fields; both as the city's files say.
    """

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=64, unique=True)
    name = fields.CharField(max_length=80)
    name_en = fields.CharField(max_length=160)
    guide = fields.TextField()
    guide_en = fields.TextField()
    stops: fields.Field[list[dict[str, Any]]] = fields.JSONField()
    form: fields.Field[list[dict[str, Any]]] = fields.JSONField()

    class Meta:
        table = "bundle"


class Visit(Model):
    """One coming to a hall for several items. Whose it is is told as a ticket tells it."""

    id = fields.UUIDField(primary_key=True)
    # Where she is: the hall in which she was given a number last.
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField(
        "models.Hall", "visits", db_constraint=False
    )
    citizen: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "visits", null=True, on_delete=OnDelete.RESTRICT
    )
    acting: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "visits_for_others", null=True, on_delete=OnDelete.RESTRICT
    )
    proxy_id = fields.UUIDField(null=True)
    person_key = fields.UUIDField(null=True)
    bundle = fields.CharField(max_length=64, null=True)
    day = fields.DateField()
    begun_at = fields.DatetimeField()
    # The place in the order that each of its tickets is given.
    rank_time = fields.DatetimeField()
    # What she filled in, as JSON, sealed.
    form = fields.BinaryField(null=True)
    state = fields.CharEnumField(VisitState, max_length=16)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "visit"
        indexes = (
            Index(fields=("citizen_id", "id"), name="visit_of_citizen"),
            Index(fields=("acting_id", "id"), name="visit_of_acting"),
            Index(fields=("person_key",), name="visit_of_person"),
            # As with tickets, open are those that have not ended.
            Index(fields=("ended_at", "day"), name="visit_by_end"),
        )


class VisitStop(Model):
    """An item of a visit. It has a ticket from its turn on; `turn` counts these from 1."""

    id = fields.UUIDField(primary_key=True)
    visit: fields.ForeignKeyRelation[Visit] = fields.ForeignKeyField(
        "models.Visit", "stops", on_delete=OnDelete.CASCADE
    )
    item: fields.ForeignKeyRelation[Item] = fields.ForeignKeyField(
        "models.Item", "stops", db_constraint=False
    )
    place = fields.SmallIntField()
    # The items that come before it, where they are part of the visit.
    after = ArrayField(element_type="uuid")
    turn = fields.SmallIntField(null=True)
    ticket_id = fields.UUIDField(null=True, unique=True)
    # The ticket whose end gave it its own.
    given_after = fields.UUIDField(null=True)
    # When the slot began in which it was booked; its number's place in the order is from then.
    slot_start = fields.DatetimeField(null=True)
    left_out = fields.CharEnumField(Left, max_length=16, null=True)
    # The ticket with whose finish a clerk added it.
    added_with = fields.UUIDField(null=True)

    class Meta:
        table = "visit_stop"
        indexes = (Index(fields=("visit_id", "place"), name="visit_stop_in_order"),)
