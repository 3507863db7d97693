"""Sealing anew, with the first key, whatever an older key sealed, while everything runs.

What is done is in the rows themselves: stopped at any moment, the next run goes on, and several may
run at once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg

from models.audit import Entry, record
from models.database import rows, transaction
from models.knowing import SEALED_COLUMNS, SealedColumn
from models.sealing import VERSION, NotOpened, Sealer
from models.tickets import SYSTEM

BATCH: Final = 200
_LOOK_AGAIN_S: Final = 0.1
_LOWEST: Final = UUID(int=0)

Tell = Callable[[int, int], None]


class StillSealed(Exception):
    """Texts are still sealed with a key; the message is one sentence."""


@dataclass(slots=True)
class Resealed:
    """What a run did. `unopened` names fields and rows that no key opens; they stay as they are."""

    texts: int = 0
    unopened: set[tuple[str, UUID]] = field(default_factory=set)


async def reseal(sealer: Sealer, *, tell: Tell = lambda _done, _total: None) -> Resealed:
    """Seal everything anew that the first key did not seal; `tell` hears how many of how many."""
    total = sum([await _count(column, "<>", sealer.header) for column in SEALED_COLUMNS])
    done = Resealed()

    def told() -> None:
        tell(done.texts, max(total, done.texts))

    told()
    for column in SEALED_COLUMNS:
        # Missed ones are just being changed by somebody, maybe with the older key.
        while await _pass(sealer, column, done, told):  # noqa: ASYNC110 others change them
            await asyncio.sleep(_LOOK_AGAIN_S)
    if done.texts:
        async with transaction() as tx:
            key = sealer.header[len(VERSION) :].hex()
            detail = {"texts": done.texts, "unopened": len(done.unopened)}
            await record(tx, Entry(SYSTEM, "personal_keys.reencrypted", "key", key, detail=detail))
    return done


async def require_unused(key_id: str) -> None:
    """Raise StillSealed while any text is sealed with this key."""
    header = VERSION + bytes.fromhex(key_id)
    texts = sum([await _count(column, "=", header) for column in SEALED_COLUMNS])
    if texts:
        raise StillSealed(
            f"{texts} texts are still sealed with {key_id}; run `personal-keys reencrypt` before."
        )


async def _pass(
    sealer: Sealer, column: SealedColumn, done: Resealed, tell: Callable[[], None]
) -> int:
    """Go through a column once; answers how many texts somebody else kept us from."""
    missed = 0
    after = _LOWEST
    while batch := await rows(_due(column), sealer.header, after, BATCH):
        after = batch[-1]["id"]
        renewed = [new for row in batch if (new := _renew(sealer, column, row, done)) is not None]
        written = await rows(_write(column), *zip(*renewed, strict=True)) if renewed else []
        done.texts += len(written)
        missed += len(renewed) - len(written)
        tell()
    return missed


def _renew(
    sealer: Sealer, column: SealedColumn, row: asyncpg.Record, done: Resealed
) -> tuple[UUID, bytes, bytes] | None:
    try:
        text = sealer.open(row["sealed"], field=column.field, owner=row["owner"])
    except NotOpened:
        done.unopened.add((column.field, row["id"]))
        return None
    return row["id"], row["sealed"], sealer.seal(text, field=column.field, owner=row["owner"])


async def _count(column: SealedColumn, compared: str, header: bytes) -> int:
    found = await rows(
        f"SELECT count(*) AS texts FROM {column.table}"  # noqa: S608 names of our own columns
        f" WHERE substring({column.column} FROM 1 FOR {len(header)}) {compared} $1",
        header,
    )
    texts: int = found[0]["texts"]
    return texts


def _due(column: SealedColumn) -> str:
    return f"""
        SELECT id, {column.owner} AS owner, {column.column} AS sealed FROM {column.table}
        WHERE substring({column.column} FROM 1 FOR 9) <> $1 AND id > $2 ORDER BY id LIMIT $3
    """  # noqa: S608 names of our own columns


def _write(column: SealedColumn) -> str:
    """Writes what still is as it was read, and waits for nobody, so that it can block nobody."""
    return f"""
        WITH due AS (
            SELECT t.id, w.old, w.new
            FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS w (id, old, new)
            JOIN {column.table} t ON t.id = w.id AND t.{column.column} = w.old
            ORDER BY t.id FOR UPDATE OF t SKIP LOCKED
        )
        UPDATE {column.table} t SET {column.column} = due.new
        FROM due WHERE t.id = due.id AND t.{column.column} = due.old
        RETURNING t.id
    """  # noqa: S608 names of our own columns
