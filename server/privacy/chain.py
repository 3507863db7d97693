"""Walking the audit log's chain: whether every entry is there, unchanged, and in its order.

What this finds and what nobody can find from inside one database is said in docs/privacy.md.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import asyncpg
import structlog

from models.audit import START, canonical, hash_of
from models.database import Transaction, rows, transaction
from models.sealing import Sealer

log = structlog.get_logger()
BATCH: Final = 2_000
_PURPOSE: Final = "audit witness"
_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

Fault = Literal[
    "missing", "changed", "out_of_order", "rewritten", "cut_off", "head_changed", "witness_forged"
]
WORDS: Final[Mapping[Fault, str]] = {
    "missing": "is missing",
    "changed": "was changed",
    "out_of_order": "does not follow the one before it: one of the two was moved or replaced",
    "rewritten": "is another than it was once: the log was rewritten up to here",
    "cut_off": "and all after it are missing: the end of the log was cut off",
    "head_changed": "does not agree with the log's head: entries were added or taken by hand",
    "witness_forged": "has a witness that none of our processes signed",
}


class NotNoted(ValueError):
    """What is said to be noted earlier is no place and hash; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place at which the chain does not hold."""

    seq: int
    fault: Fault

    def __str__(self) -> str:
        return f"Entry {self.seq} {WORDS[self.fault]}."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk found: `seq` and `hash` are the last entry that holds.

    `witnessed` is the last one that was signed; what comes after it is only as true as the
    database.
    """

    seq: int
    hash: str
    witnessed: int
    broken: Broken | None


@dataclass(slots=True)
class _Walk:
    """How far a walk has come, and what it was told beforehand."""

    sealer: Sealer
    noted: Mapping[int, str]
    seq: int = 0
    hash: str = START
    witnessed: int = 0
    witnesses: dict[int, asyncpg.Record] = field(default_factory=dict)

    def step(self, row: asyncpg.Record) -> Broken | None:
        """Take the next entry, or say what is wrong with it."""
        if row["seq"] > self.seq + 1:
            return Broken(self.seq + 1, "missing")
        if row["seq"] <= self.seq:
            return Broken(row["seq"], "out_of_order")  # a place before the first
        fault = self._fault_of(row)
        if fault is not None:
            return Broken(row["seq"], fault)
        self.seq, self.hash = row["seq"], row["hash"]
        return None

    def _fault_of(self, row: asyncpg.Record) -> Fault | None:
        if _hash_again(row) != row["hash"]:
            return "changed"
        if row["previous"] != self.hash:
            return "out_of_order"
        if self.noted.get(row["seq"], row["hash"]) != row["hash"]:
            return "rewritten"
        witness = self.witnesses.get(row["seq"])
        if witness is not None:
            if witness["mac"] != _mac(self.sealer, witness):
                return "witness_forged"
            if witness["hash"] != row["hash"]:
                return "rewritten"
            self.witnessed = row["seq"]
        return None


async def verify(
    sealer: Sealer,
    *,
    noted: Mapping[int, str] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verdict:
    """Walk the whole chain, as it is at this moment.

    `noted` are hashes of entries that somebody wrote down elsewhere, by place. `progress` is told
    how many entries of how many are walked.
    """
    async with transaction(_SNAPSHOT) as tx:
        walk = _Walk(sealer, noted or {})
        broken = await _walk(tx, walk, progress) or await _end(tx, walk)
        return Verdict(walk.seq, walk.hash, walk.witnessed, broken)


async def _walk(
    tx: Transaction, walk: _Walk, progress: Callable[[int, int], None]
) -> Broken | None:
    """Walk on to the last entry there is, or to the first broken one."""
    head = await tx.row("SELECT seq FROM audit_head WHERE id = 1")
    total: int = head["seq"] if head else 0
    # Entries before the first are none of ours, and must show.
    after = walk.seq if walk.seq else -(2**63)
    while batch := await tx.rows(_NEXT, after, BATCH):
        after = batch[-1]["seq"]
        witnesses = await tx.rows(
            "SELECT seq, hash, at, mac FROM audit_witness WHERE seq > $1 AND seq <= $2",
            walk.seq,
            after,
        )
        walk.witnesses = {witness["seq"]: witness for witness in witnesses}
        for row in batch:
            if broken := walk.step(row):
                return broken
        progress(walk.seq, max(total, walk.seq))
    return None


async def _end(tx: Transaction, walk: _Walk) -> Broken | None:
    """Whether the chain ends where its head, its witnesses and what was noted say."""
    head = await tx.row("SELECT seq, hash FROM audit_head WHERE id = 1")
    latest = await tx.row("SELECT max(seq) AS seq FROM audit_witness")
    known = [*walk.noted, (latest and latest["seq"]) or 0, head["seq"] if head else 0]
    if max(known) > walk.seq:
        return Broken(walk.seq + 1, "cut_off")
    if head is None or (head["seq"], head["hash"]) != (walk.seq, walk.hash):
        return Broken(walk.seq, "head_changed")
    return None


_NEXT: Final = """
SELECT seq, actor_kind, actor_id, on_behalf_of, action, subject_kind, subject_id, detail::text,
       previous, hash,
       CASE WHEN at BETWEEN '2000-01-01' AND '9999-01-01'
            THEN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') END AS at
FROM audit_entry WHERE seq > $1 ORDER BY seq LIMIT $2
"""


def _hash_again(row: asyncpg.Record) -> str | None:
    """The hash that an entry should have, or None when nothing we write looks like this."""
    try:
        detail: Any = json.loads(row["detail"])
    except (ValueError, RecursionError):
        return None
    body = canonical(
        at=row["at"],
        actor_kind=row["actor_kind"],
        actor_id=row["actor_id"],
        on_behalf_of=row["on_behalf_of"],
        action=row["action"],
        subject_kind=row["subject_kind"],
        subject_id=row["subject_id"],
        detail=detail,
    )
    return hash_of(row["previous"], body)


def read_noted(texts: Sequence[str]) -> dict[int, str]:
    """What was noted of the chain earlier, from `SEQ:HASH`. Raises NotNoted."""
    noted = {}
    for text in texts:
        seq, _, entry_hash = text.strip().partition(":")
        if not (seq.isascii() and seq.isdigit() and re.fullmatch("[0-9a-f]{64}", entry_hash)):
            raise NotNoted(
                "What was noted of the audit log looks like 1234:abcd…, 64 digits of hash."
            )
        noted[int(seq)] = entry_hash
    return noted


class Notary:
    """Signs how the chain ends, now and then, after walking what came since the last signature.

    It remembers what it signed last: who rewrites the log and throws the witnesses away has to
    wait for every worker to be started again. Each signature is logged too, so that whoever keeps
    the logs elsewhere can show what was.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._signed: dict[int, str] = {}

    async def witness(self) -> Broken | None:
        """Sign the head, unless nothing came or the chain is broken; answers where it is."""
        async with transaction(_SNAPSHOT) as tx:
            walk, broken = await self._since_last(tx)
        if broken is not None:
            log.error("audit_log_broken", seq=broken.seq, fault=broken.fault)
            return broken
        if walk.witnessed < walk.seq:
            await _sign(self._sealer, walk.seq, walk.hash)
        self._signed = {walk.seq: walk.hash} if walk.seq else {}
        return None

    async def _since_last(self, tx: Transaction) -> tuple[_Walk, Broken | None]:
        walk = _Walk(self._sealer, {})
        last = await tx.row(
            "SELECT seq, hash, at, mac FROM audit_witness ORDER BY seq DESC LIMIT 1"
        )
        signed = dict(self._signed)
        if last is not None:
            if last["mac"] != _mac(self._sealer, last):
                return walk, Broken(last["seq"], "witness_forged")
            walk = _Walk(self._sealer, {}, last["seq"], last["hash"], last["seq"])
            signed[last["seq"]] = last["hash"]
        for seq, noted in signed.items():
            row = await tx.row("SELECT hash FROM audit_entry WHERE seq = $1", seq)
            if row is None or row["hash"] != noted:
                return walk, Broken(seq, "rewritten" if row else "missing")
        broken = await _walk(tx, walk, lambda _done, _total: None) or await _end(tx, walk)
        return walk, broken


async def _sign(sealer: Sealer, seq: int, entry_hash: str) -> None:
    at = datetime.now(UTC)
    witness = {"seq": seq, "hash": entry_hash, "at": at}
    await rows(
        "INSERT INTO audit_witness (seq, hash, at, mac) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (seq) DO NOTHING",
        seq,
        entry_hash,
        at,
        _mac(sealer, witness),
    )
    log.info("audit_witness", seq=seq, hash=entry_hash)


def _mac(sealer: Sealer, witness: Mapping[str, Any]) -> str:
    at: datetime = witness["at"]
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    return sealer.sign(_PURPOSE, f"{witness['seq']}\n{witness['hash']}\n{moment}")
