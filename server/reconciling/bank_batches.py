"""Bringing in bank counters' files: read and verified, looked at, confirmed by a person."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from integrations.ports_bank import BatchReader
from models import bank_batches
from models.audit import Entry, record
from models.bank_batches import PaymentEffect, Taken
from models.database import transaction
from models.tickets import Actor


@dataclass(frozen=True, slots=True)
class Preview:
    """A batch, and what each of its payments would do now, or did."""

    batch: Any
    payments: list[Any]

    @property
    def is_confirmed(self) -> bool:
        """Whether it was brought in before."""
        return self.batch["confirmed_at"] is not None

    def effect_of(self, payment: Any) -> PaymentEffect:
        """What one of its payments does."""
        return PaymentEffect(payment["effect"] or payment["foreseen"])

    @property
    def counts(self) -> Counter[PaymentEffect]:
        """How many payments do what."""
        return Counter(self.effect_of(payment) for payment in self.payments)


async def bring(content: bytes, reader: BatchReader, *, by: UUID | None, now: datetime) -> Preview:
    """Verify and keep a file to be looked at; nothing is settled yet.

    Raises BatchRefused for what no bank of ours signed or has no sense, and BatchDiffers.
    """
    batch = reader.read(content)
    facts = {
        "bank": batch.bank,
        "number": batch.number,
        "day": batch.day,
        "fen": batch.fen,
        "digest": hashlib.sha256(content).hexdigest(),
        "stored_by_id": by,
    }
    taken = [Taken(b.line, b.bill_no, b.fen, b.paid_at, b.serial) for b in batch.lines]
    async with transaction() as tx:
        row = await bank_batches.store(tx, facts, taken, now=now)
        return Preview(row, await bank_batches.foreseen(row["id"], tx))


async def confirm(batch_id: UUID, *, by: UUID | None, now: datetime) -> Preview:
    """Make true what a batch says, once however often it is confirmed. It is recorded."""
    async with transaction() as tx:
        # Held from here on: of many who confirm it at once, one is the first.
        before = await tx.row(
            "SELECT confirmed_at FROM bank_batch WHERE id = $1 FOR UPDATE", batch_id
        )
        row = await bank_batches.confirm(tx, batch_id, by=by, now=now)
        payments = await bank_batches.foreseen(batch_id, tx)
        if before is not None and before["confirmed_at"] is None:
            detail = {"bank": row["bank"], "number": row["number"], "amount_fen": row["fen"]}
            actor = Actor("staff" if by else "system", by)
            entry = Entry(actor, "bank_batch.confirmed", "bank_batch", batch_id, detail=detail)
            await record(tx, entry)
    return Preview(row, payments)
