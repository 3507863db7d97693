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


_ISSUING = """(line.issuing = '{mode}'
            AND line.issuing_on IS NOT DISTINCT FROM ({now} AT TIME ZONE 'Asia/Shanghai')::date
            AND (line.issuing_until IS NULL OR {now} < line.issuing_until))"""
# Whether a `line` gives out numbers on the day of that moment, as its manager decided: whatever
# time is left, or no more.
ISSUING_OPEN = _ISSUING.replace("{mode}", "open")
ISSUING_STOPPED = _ISSUING.replace("{mode}", "stopped")


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
    # Whoever has waited longer than so many minutes is called by counters that only help this line
    # as by its own; null means that these call from it only when nobody waits in theirs.
    help_after_min = fields.IntField(null=True)
    # The codes of counters that serve it too, as one of their own, until that moment.
    overflow = ArrayField(element_type="text", db_default=[])
    overflow_until = fields.DatetimeField(null=True)
    # The number given last, when, and on which business day: numbers begin anew each day.
    last_sequence = fields.IntField(default=0)
    last_issued_at = fields.DatetimeField(null=True)
    numbered_on = fields.DateField(null=True)

    class Meta:
        table = "line"
        constraints = (UniqueConstraint(fields=("hall_id", "code"), name="line_code_once"),)


class Counter(Model):
    """A counter 窗口. `skills` are the line codes it may serve, its own first.

    `helps` are those of them that are not its own: it calls from these when nobody waits in its
    own, or when somebody has waited too long (`Line.help_after_min`).
    """

    id = fields.UUIDField(primary_key=True)
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField("models.Hall", "counters")
    code = fields.CharField(max_length=8)
    name = fields.CharField(max_length=80)
    skills = ArrayField(element_type="text")
    helps = ArrayField(element_type="text", db_default=[])
    # How often its skills were changed: whoever changes them may say what she has seen.
    skills_version = fields.IntField(db_default=0)
    # The line codes it serves now: its skills, or the part of them named when it opened.
    serving = ArrayField(element_type="text")
    state = fields.CharEnumField(CounterState, default=CounterState.CLOSED, max_length=16)
    pause_reason = fields.CharField(max_length=200, null=True)
    # When it means to go on, where whoever paused it said so; of one that does not pause it tells
    # nothing.
    paused_until = fields.DatetimeField(null=True)
    # The business day it was opened on: the day's end closes what nobody closed.
    opened_on = fields.DateField(null=True)
    # The member of staff who works at it, and since when; nobody while it is closed.
    staffed_by = fields.UUIDField(null=True)
    staffed_since = fields.DatetimeField(null=True)

    class Meta:
        table = "counter"
        constraints = (UniqueConstraint(fields=("hall_id", "code"), name="counter_code_once"),)


class Announcement(Model):
    """What a hall tells everybody on its board, until a moment."""

    id = fields.UUIDField(primary_key=True)
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField("models.Hall", "announcements")
    text = fields.CharField(max_length=200)
    text_en = fields.CharField(max_length=400, null=True)
    # The part of the hall that it is for; null means all of it.
    zone = fields.CharField(max_length=40, null=True)
    made_at = fields.DatetimeField()
    made_by = fields.UUIDField()
    until = fields.DatetimeField()

    class Meta:
        table = "announcement"
        indexes = (("hall_id", "until"),)


class Alert(Model):
    """A clerk's emergency call. It stands until a manager has acknowledged it."""

    id = fields.UUIDField(primary_key=True)
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField("models.Hall", "alerts")
    counter: fields.ForeignKeyRelation[Counter] = fields.ForeignKeyField("models.Counter", "alerts")
    note = fields.CharField(max_length=200, null=True)
    # What was said when it called again, oldest first.
    later_notes = ArrayField(element_type="text", db_default=[])
    raised_at = fields.DatetimeField()
    raised_by = fields.UUIDField()
    # How often the counter has called since; each time managers are told again.
    calls = fields.IntField()
    acknowledged_at = fields.DatetimeField(null=True)
    acknowledged_by = fields.UUIDField(null=True)

    class Meta:
        table = "alert"
        indexes = (("hall_id", "id"),)
        constraints = (
            UniqueConstraint(
                fields=("counter_id",),
                name="alert_open_once",
                condition="acknowledged_at IS NULL",
            ),
        )


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
