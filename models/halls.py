"""Halls, their lines and counters, and when they are open."""

from enum import StrEnum

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model


class LineState(StrEnum):
    """Whether a line gives out numbers."""

    OPEN = "open"
    PAUSED = "paused"
    STOPPED = "stopped"  # in an emergency; those who waited were sent elsewhere, where one could


class Issuing(StrEnum):
    """Whether a line stops by itself when the rest of the day is full, on one day."""

    AUTO = "auto"
    OPEN = "open"  # it goes on, whatever time is left
    STOPPED = "stopped"  # it gives out no more


class CounterState(StrEnum):
    """Whether a counter serves."""

    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


class Hall(Model):
    """A service hall 大厅. Its row is the lock under which everything in the hall is decided."""

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=16, unique=True)
    name = fields.CharField(max_length=80)
    name_en = fields.CharField(max_length=120)
    level = fields.CharField(max_length=16)
    parent_code = fields.CharField(max_length=16, null=True)
    address = fields.CharField(max_length=200)
    phone = fields.CharField(max_length=40)
    # WGS-84, degrees. A hall without a known place has neither.
    lat = fields.FloatField(null=True)
    lng = fields.FloatField(null=True)
    remote_radius_m = fields.IntField()
    # Where its rules differ from the usual ones: `scheduler.discipline.Rules`, by their names.
    rules: fields.Field[dict[str, int]] = fields.JSONField(db_default="{}")

    class Meta:
        table = "hall"


class Line(Model):
    """A line 队列 of a hall; its code is the letter that numbers begin with."""

    id = fields.UUIDField(primary_key=True)
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField("models.Hall", "lines")
    code = fields.CharField(max_length=4)
    name = fields.CharField(max_length=80)
    name_en = fields.CharField(max_length=120)
    state = fields.CharEnumField(LineState, default=LineState.OPEN, max_length=16)
    # Why it is not open, as the board says it.
    reason = fields.CharField(max_length=80, null=True)
    reason_en = fields.CharField(max_length=80, null=True)
    # What a manager decided for one day about its numbers, and until when that day.
    issuing = fields.CharEnumField(Issuing, db_default=Issuing.AUTO.value, max_length=16)
    issuing_on = fields.DateField(null=True)
    issuing_until = fields.DatetimeField(null=True)
    # With so many waiting the line takes nobody else; null means no limit.
    waiting_limit = fields.IntField(null=True)
    # The number given last, when, and on which business day: numbers begin anew each day.
    last_sequence = fields.IntField(default=0)
    last_issued_at = fields.DatetimeField(null=True)
    numbered_on = fields.DateField(null=True)

    class Meta:
        table = "line"
        constraints = (UniqueConstraint(fields=("hall_id", "code"), name="line_code_once"),)


class Counter(Model):
    """A counter 窗口. `skills` are the line codes it may serve, its own first."""

    id = fields.UUIDField(primary_key=True)
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField("models.Hall", "counters")
    code = fields.CharField(max_length=8)
    name = fields.CharField(max_length=80)
    skills = ArrayField(element_type="text")
    # The line codes it serves now: its skills, or the part of them named when it opened.
    serving = ArrayField(element_type="text")
    state = fields.CharEnumField(CounterState, default=CounterState.CLOSED, max_length=16)
    pause_reason = fields.CharField(max_length=200, null=True)
    # The business day it was opened on: the day's end closes what nobody closed.
    opened_on = fields.DateField(null=True)

    class Meta:
        table = "counter"
        constraints = (UniqueConstraint(fields=("hall_id", "code"), name="counter_code_once"),)


class Opening(Model):
    """A weekly opening of a hall, local time; `weekday` 0 is Monday."""

    id = fields.UUIDField(primary_key=True)
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField("models.Hall", "openings")
    weekday = fields.SmallIntField()
    # Whole minutes since local midnight; 1440 is the end of the day.
    start_minute = fields.SmallIntField()
    end_minute = fields.SmallIntField()

    class Meta:
        table = "opening"
        constraints = (
            UniqueConstraint(
                fields=("hall_id", "weekday", "start_minute"), name="opening_start_once"
            ),
        )


class SpecialDay(Model):
    """A date on which a hall differs from its week; a row without times closes the whole day."""

    id = fields.UUIDField(primary_key=True)
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField("models.Hall", "special_days")
    date = fields.DateField()
    start_minute = fields.SmallIntField(null=True)
    end_minute = fields.SmallIntField(null=True)
    reason = fields.CharField(max_length=200)

    class Meta:
        table = "special_day"
        indexes = (("hall_id", "date"),)
