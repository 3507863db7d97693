"""When people could not check in, for whatever of ours: a line that took nobody, workers that died.

A line's are written where it is paused, stopped and opened again. That no worker was at work is
found by the next one that is: each says every few seconds that it is there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction, transaction

_SAID_EVERY: Final = timedelta(seconds=10)


class OutageKind(StrEnum):
    """What was not there."""

    LINE_CLOSED = "line_closed"
    SERVICE_DOWN = "service_down"


class Outage(Model):
    """From when until when (null: still) something was not there: a line, or the whole service."""

    id = fields.UUIDField(primary_key=True)
    kind = fields.CharEnumField(OutageKind, max_length=16)
    hall_id = fields.UUIDField(null=True)
    line_id = fields.UUIDField(null=True, db_index=True)
    since = fields.DatetimeField()
    until = fields.DatetimeField(null=True)

    class Meta:
        table = "outage"


class WorkerPulse(Model):
    """The one row that says when a worker was at work last, in business and in real time."""

    id = fields.SmallIntField(primary_key=True, generated=False)
    at = fields.DatetimeField()
    real_at = fields.DatetimeField()

    class Meta:
        table = "worker_pulse"


async def line_closes(tx: Transaction, hall_id: UUID, line_id: UUID, now: datetime) -> None:
    """A line takes nobody from now on; its hall is locked."""
    await tx.run(
        """
        INSERT INTO outage (id, kind, hall_id, line_id, since)
        SELECT $1, $2, $3, $4, $5
        WHERE NOT EXISTS (SELECT 1 FROM outage WHERE line_id = $4 AND until IS NULL)
        """,
        uuid7(),
        OutageKind.LINE_CLOSED.value,
        hall_id,
        line_id,
        now,
    )


async def line_opens(tx: Transaction, line_id: UUID, now: datetime) -> None:
    """It takes people again."""
    await tx.run(
        "UPDATE outage SET until = greatest($2, since) WHERE line_id = $1 AND until IS NULL",
        line_id,
        now,
    )


async def at_work(now: datetime, *, least: timedelta) -> None:
    """A worker is there; where none was for so long, in real time, that is written as an outage.

    Of several that come back at once one writes it: the row is locked.
    """
    async with transaction() as tx:
        row = await tx.row(
            "SELECT at, clock_timestamp() - real_at AS ago FROM worker_pulse FOR UPDATE"
        )
        if row is not None and row["ago"] < _SAID_EVERY:
            return
        if row is not None and row["ago"] >= least and row["at"] < now:
            await tx.run(
                "INSERT INTO outage (id, kind, since, until) VALUES ($1, $2, $3, $4)",
                uuid7(),
                OutageKind.SERVICE_DOWN.value,
                row["at"],
                now,
            )
        await tx.run(
            """
            INSERT INTO worker_pulse (id, at, real_at) VALUES (1, $1, clock_timestamp())
            ON CONFLICT (id) DO UPDATE SET at = excluded.at, real_at = excluded.real_at
            """,
            now,
        )


async def outages_of(
    tx: Transaction, line_id: UUID, first: datetime, last: datetime
) -> Sequence[Any]:
    """What of a line, or of the whole service, was not there at some moment between two."""
    return await tx.rows(
        """
        SELECT kind, since, until FROM outage
        WHERE (line_id = $1 OR line_id IS NULL) AND since <= $3
          AND (until IS NULL OR until >= $2)
        ORDER BY since
        """,
        line_id,
        first,
        last,
    )
