"""Family members and companies that a citizen acts for: added, listed, ended."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils.compat import uuid7

from models import knowing
from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.identifiers import (
    NotAnIdentifier,
    mask_id,
    mask_name,
    read_name,
    read_uscc,
)
from models.joined import current_id
from models.proxies import ID_NUMBER, NAME, USCC, Proof, ProxyKind, ProxyState, may_be_declared
from models.sealing import Sealer
from models.tickets import Actor
from server.auth import Principal
from server.errors import FieldFault, InvalidRequest, LevelTooLow, NotFound
from server.http.idempotency import Once
from server.identity.proxy_views import ProxyView, Side
from server.identity.real_names import Claim
from server.identity.refusals import (
    EMPTY,
    NOT_A_NUMBER,
    AlreadyAdded,
    OwnNumber,
    TooManyDeclared,
)
from server.identity.sure import held_surely
from server.live.reading import shown

# Who acts for others is known by her real name.
LEVEL = 2
# How long one that has ended counts as one of those she may declare.
ENDED_COUNTS_FOR = timedelta(days=1)
_OF_CITIZEN: Final = """
    SELECT p.*, c.name AS actor_name FROM proxy p JOIN citizen c ON c.id = p.citizen_id
    WHERE (p.citizen_id = $1 OR (p.principal_id = $1 AND p.state <> 'asked'))"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """For whom a citizen wants to act; name and number in the form in which they are kept."""

    kind: ProxyKind
    name: str = field(repr=False)
    id_type: str
    id_number: str = field(repr=False)
    proof: Proof

    @property
    def shown_as(self) -> str:
        """The name as tickets show it; companies are no secret."""
        return self.name if self.kind is ProxyKind.COMPANY else mask_name(self.name)


def wanted_person(kind: ProxyKind, claim: Claim, *, today: date) -> Wanted:
    """A family member; minors and the elderly may be declared, all others are asked."""
    document = claim.document
    declared = may_be_declared(document.born, today=today)
    proof = Proof.DECLARATION if declared else Proof.CONSENT
    return Wanted(kind, claim.name, document.id_type, document.number, proof)


def wanted_company(uscc: str, name: str) -> Wanted:
    """A company. Raises InvalidRequest."""
    try:
        code = read_uscc(uscc)
    except NotAnIdentifier as fault:
        raise InvalidRequest(errors=[FieldFault("/uscc", NOT_A_NUMBER[fault.fault])]) from None
    if not (told := read_name(name)):
        raise InvalidRequest(errors=[FieldFault("/name", EMPTY)])
    return Wanted(ProxyKind.COMPANY, told, USCC, code, Proof.DECLARATION)


async def add(
    sealer: Sealer, who: Principal, wanted: Wanted, once: Once, *, most: int
) -> ProxyView:
    """Let a citizen act by declaration, or note that consent is asked for. Asking again is fine.

    At most `most` people (or companies) are declared. Raises LevelTooLow, OwnNumber, AlreadyAdded
    or TooManyDeclared. Locks as docs/decisions.md says: the number, her, the person, the proxy.
    """
    index = sealer.blind_index(wanted.id_type, wanted.id_number)
    async with transaction() as tx:
        await once.claim(tx)
        # Nobody proves this number while we look whose it is.
        await tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", index)
        citizen_id = await held_surely(tx, who)  # so that she adds one after the other
        await _require_known(tx, citizen_id, index)
        principal = await knowing.held_with_index(tx, index)
        before = await tx.row(
            "SELECT id, state, proof FROM proxy WHERE citizen_id = $1 AND id_index = $2 FOR UPDATE",
            citizen_id,
            index,
        )
        if before is not None and before["state"] == ProxyState.ACTIVE:
            outgrown = before["proof"] == Proof.DECLARATION and wanted.proof is Proof.CONSENT
            if not outgrown:
                raise AlreadyAdded
        proof = wanted.proof
        if proof is Proof.DECLARATION and await _refused(tx, citizen_id, index):
            proof = Proof.CONSENT
        if proof is Proof.DECLARATION:
            await _require_room(tx, citizen_id, wanted.kind, most)
        row = await _write(
            tx,
            sealer,
            before["id"] if before else uuid7(),
            citizen_id=citizen_id,
            wanted=wanted,
            proof=proof,
            index=index,
            principal=principal,
        )
        view = _mine(row, wanted.name, wanted.id_number)
        await once.keep(tx, view, status=201)
        await _record(tx, citizen_id, row)
    return view


async def list_of(sealer: Sealer, citizen_id: UUID) -> list[ProxyView]:
    """For whom a citizen acts, and who acts for her, newest first."""
    citizen_id = await current_id(citizen_id) or citizen_id
    found = await rows(f"{_OF_CITIZEN} AND p.state <> 'ended' ORDER BY p.id DESC", citizen_id)
    return [_seen(sealer, row, citizen_id, masked=True) for row in found]


async def exported(tx: Transaction, sealer: Sealer, citizen_id: UUID) -> list[dict[str, Any]]:
    """Every proxy kept of a citizen; what she gave is in clear, who acts for her masked."""
    found = await tx.rows(f"{_OF_CITIZEN} ORDER BY p.id", citizen_id)
    told = []
    for row in found:
        view = msgspec.to_builtins(_seen(sealer, row, citizen_id, masked=False))
        told.append(view | {"ended_at": shown(row["ended_at"]) if row["ended_at"] else None})
    return told


async def end(proxy_id: UUID, who: Principal) -> None:
    """End what a citizen does for somebody, or somebody for her. Tickets that were taken stay.

    Raises NotFound, or LevelTooLow.
    """
    async with transaction() as tx:
        me = await held_surely(tx, who)
        row = await tx.row(
            """
            SELECT principal_id FROM proxy
            WHERE id = $1 AND state <> 'ended'
              AND (citizen_id = $2 OR (principal_id = $2 AND state = 'active'))
            FOR UPDATE
            """,
            proxy_id,
            me,
        )
        if row is None:
            raise NotFound
        refused = row["principal_id"] == me
        await tx.run(
            """
            UPDATE proxy SET state = 'ended', ended_at = $2, refused = $3, name = NULL,
                id_type = NULL, id_number = NULL, id_index = NULL
            WHERE id = $1
            """,
            proxy_id,
            datetime.now(UTC),
            refused,
        )
        behalf = None if refused else row["principal_id"]
        await record(
            tx, Entry(Actor("citizen", me), "proxy.ended", "proxy", proxy_id, on_behalf_of=behalf)
        )


async def _require_known(tx: Transaction, citizen_id: UUID, index: str) -> None:
    me = await tx.row("SELECT level, id_index FROM citizen WHERE id = $1", citizen_id)
    assert me is not None, "she is held"
    if me["level"] < LEVEL:
        raise LevelTooLow(
            ("请先完成实名认证，再为他人办理。", "Prove your real name before acting for others.")
        )
    if me["id_index"] == index:
        raise OwnNumber


async def _refused(tx: Transaction, citizen_id: UUID, index: str) -> bool:
    """Whether this person has ended what this citizen did for her."""
    row = await tx.row(
        """
        SELECT 1 FROM proxy p JOIN citizen c ON c.id = p.principal_id
        WHERE p.citizen_id = $1 AND p.refused AND c.id_index = $2 LIMIT 1
        """,
        citizen_id,
        index,
    )
    return row is not None


async def _require_room(tx: Transaction, citizen_id: UUID, kind: ProxyKind, most: int) -> None:
    """Raise TooManyDeclared when she has as many as she may.

    Those ended a moment ago, and those through which somebody still waits, count too: else five at
    a time, taken turns with, would be as many as she likes.
    """
    row = await tx.row(
        """
        SELECT count(*) AS declared FROM proxy p
        WHERE citizen_id = $1 AND proof = 'declaration' AND (kind = 'company') = $2
          AND (state = 'active' OR (state = 'ended' AND (ended_at > $3 OR EXISTS (
              SELECT 1 FROM ticket t
              WHERE t.acting_id = $1 AND t.proxy_id = p.id AND t.ended_at IS NULL))))
        """,
        citizen_id,
        kind is ProxyKind.COMPANY,
        datetime.now(UTC) - ENDED_COUNTS_FOR,
    )
    if row is None or row["declared"] >= most:
        raise TooManyDeclared


async def _write(
    tx: Transaction,
    sealer: Sealer,
    proxy_id: UUID,
    *,
    citizen_id: UUID,
    wanted: Wanted,
    proof: Proof,
    index: str,
    principal: UUID | None,
) -> asyncpg.Record:
    """Write the proxy, anew where it was asked for before; in force when it is declared."""
    declared, now = proof is Proof.DECLARATION, datetime.now(UTC)
    row = await tx.row(
        """
        INSERT INTO proxy (id, citizen_id, kind, proof, state, name, id_type, id_number, id_index,
            shown_as, refused, asked_at, active_at, principal_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, false, $11,
            $12, $13)
        ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, proof = excluded.proof,
            state = excluded.state, name = excluded.name, id_number = excluded.id_number,
            shown_as = excluded.shown_as, asked_at = excluded.asked_at,
            active_at = excluded.active_at, principal_id = excluded.principal_id
        RETURNING *
        """,
        proxy_id,
        citizen_id,
        wanted.kind.value,
        proof.value,
        (ProxyState.ACTIVE if declared else ProxyState.ASKED).value,
        sealer.seal(wanted.name, field=NAME, owner=proxy_id),
        wanted.id_type,
        sealer.seal(wanted.id_number, field=ID_NUMBER, owner=proxy_id),
        index,
        wanted.shown_as,
        now,
        now if declared else None,
        principal if declared else None,
    )
    assert row is not None, "an upsert returns its row"
    return row


async def _record(tx: Transaction, citizen_id: UUID, row: asyncpg.Record) -> None:
    action = "proxy.asked" if row["state"] == ProxyState.ASKED else "proxy.declared"
    entry = Entry(
        Actor("citizen", citizen_id),
        action,
        "proxy",
        row["id"],
        on_behalf_of=row["principal_id"],
        detail={"kind": str(row["kind"]), "fields": ["name", "id_number"]},
    )
    await record(tx, entry)


def _seen(sealer: Sealer, row: asyncpg.Record, citizen_id: UUID, *, masked: bool) -> ProxyView:
    """A proxy as one of its two sides sees it; one that has ended knows no number any more."""
    if row["citizen_id"] != citizen_id:
        sealed = row["actor_name"]
        name = sealer.open(sealed, field=knowing.NAME, owner=row["citizen_id"]) if sealed else None
        return _view(row, Side.SPOKEN_FOR, mask_name(name) if name else None, None)
    if row["name"] is None:
        return _view(row, Side.ACTING, row["shown_as"], None)
    name = sealer.open(row["name"], field=NAME, owner=row["id"])
    number = sealer.open(row["id_number"], field=ID_NUMBER, owner=row["id"])
    return _mine(row, name, number) if masked else _view(row, Side.ACTING, name, number)


def _mine(row: asyncpg.Record, name: str, number: str) -> ProxyView:
    if row["kind"] != ProxyKind.COMPANY:  # companies are no secret
        name, number = mask_name(name), mask_id(number)
    return _view(row, Side.ACTING, name, number)


def _view(row: asyncpg.Record, side: Side, name: str | None, number: str | None) -> ProxyView:
    return ProxyView(
        id=row["id"],
        side=side,
        relation=ProxyKind(row["kind"]),
        name=name,
        id_type=row["id_type"] if side is Side.ACTING else None,
        number=number,
        proof=Proof(row["proof"]),
        state=ProxyState(row["state"]),
        asked_at=shown(row["asked_at"]),
        active_at=shown(row["active_at"]) if row["active_at"] else None,
    )
