"""Telling a citizen everything that is kept about her."""

from base64 import b64decode
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from models import bill_people, booking_people, case_people, departures, ratings, visit_people
from models.audit import Entry, record
from models.cases import NOTE
from models.consents import groups_in
from models.database import Transaction, transaction
from models.knowing import known
from models.sealing import Sealer
from models.tickets import Actor
from server.auth import Principal
from server.identity.proxies import exported
from server.identity.sure import held_surely
from server.live.reading import shown
from server.visits.views import open_form

_KEPT: Final = {
    "channels": """
        SELECT platform, app_id, subject, union_subject, level, created_at FROM channel_link
        WHERE citizen_id = $1 ORDER BY created_at""",
    "sign_ins": """
        SELECT channel, device, started_at, ended_at, end_reason FROM sign_in
        WHERE person_kind = 'citizen' AND person_id = $1 ORDER BY started_at""",
    "consents": """
        SELECT c.code AS client, c.name, o.facts, o.given_at
        FROM sso_consent o JOIN sso_client c ON c.id = o.client_id
        WHERE o.citizen_id = $1 ORDER BY o.given_at""",
    "let_be_used": """
        SELECT purpose, groups, given_at FROM consent WHERE citizen_id = $1 ORDER BY purpose""",
    "known_for_rules": """
        SELECT born, residence, household, youngest_born, has_company, learned_at FROM trait
        WHERE citizen_id = $1""",
    "certificates": """
        SELECT kind, expires_on, changed_at FROM certificate
        WHERE citizen_id = $1 ORDER BY kind""",
    "topics": "SELECT topic FROM topic_follow WHERE citizen_id = $1 ORDER BY topic",
    "told_by_rules": """
        SELECT rule, occasion, at FROM matched WHERE citizen_id = $1 ORDER BY id""",
    "followed": """
        SELECT ticket_id AS ticket, day, made_at, ended_at FROM follow
        WHERE citizen_id = $1 ORDER BY made_at""",
    "notices": """
        SELECT kind, facts, happened_at AS at, state, channel AS sent_by, read_at, purpose
        FROM notice
        WHERE citizen_id = $1 ORDER BY id""",
    "notice_preferences": """
        SELECT english, channels, muted, quiet_from, quiet_to, ahead, changed_at
        FROM notice_preference WHERE citizen_id = $1""",
    "subscriptions": """
        SELECT s.platform, s.template_id, s.credits, s.lasting, s.changed_at
        FROM channel_link l JOIN subscription s USING (platform, subject)
        WHERE l.citizen_id = $1 ORDER BY s.id""",
    "tickets": """
        SELECT t.id, t.number, t.state, h.code AS hall, l.code AS line, i.code AS item,
               t.day, t.issued_at, t.called_at, t.started_at, t.ended_at, t.outcome,
               t.priority, t.priority_at,
               t.proxy_id AS proxy, t.acting_id IS NOT DISTINCT FROM $1 AS taken_for_another
        FROM ticket t JOIN hall h ON h.id = t.hall_id JOIN line l ON l.id = t.line_id
        JOIN item i ON i.id = t.item_id
        WHERE t.citizen_id = $1 OR t.acting_id = $1 ORDER BY t.issued_at""",
}


async def export(sealer: Sealer, who: Principal) -> dict[str, Any]:
    """Everything kept about a citizen, in clear: it is hers. Raises LevelTooLow or NoSuchCitizen.

    She is locked while it is read: nothing of hers is joined away or erased between two reads. (A
    snapshot would not do: in one, the audit log's head could not be moved while others move it.)
    """
    async with transaction() as tx:
        citizen_id = await held_surely(tx, who)
        me = await known(tx, sealer, citizen_id)
        kept = {name: await _found(tx, sql, citizen_id) for name, sql in _KEPT.items()}
        family = await exported(tx, sealer, citizen_id)
        visits = [_visit(row, sealer) for row in await visit_people.kept_of(tx, citizen_id)]
        coming = [_departure(row, sealer) for row in await departures.kept_of(tx, citizen_id)]
        booked = [
            {name: _told(value) for name, value in row.items()}
            for row in await booking_people.kept_of(tx, citizen_id)
        ]
        bills = [_bill(row) for row in await bill_people.kept_of(tx, citizen_id)]
        handled = [_case(row, sealer) for row in await case_people.kept_of(tx, citizen_id)]
        rated = [_rating(row, sealer) for row in await ratings.kept_of(tx, citizen_id)]
        _open_json(kept)
        entry = Entry(Actor("citizen", citizen_id), "citizen.exported", "citizen", citizen_id)
        await record(tx, entry)
    return {
        "id": citizen_id,
        "name": me.name,
        "id_type": me.id_type,
        "id_number": me.id_number,
        "phone": me.phone,
        "residence": me.residence,
        "assurance_level": me.level,
        **kept,
        "visits": visits,
        "departures": coming,
        "appointments": booked,
        "bills": bills,
        "cases": handled,
        "ratings": rated,
        "family": family,
    }


def _open_json(kept: dict[str, Any]) -> None:
    """Let what is kept as JSON be read as such."""
    for notice in kept["notices"]:
        notice["facts"] = msgspec.json.decode(notice["facts"])
    for wish in kept["notice_preferences"]:
        for name in ("channels", "muted"):
            wish[name] = msgspec.json.decode(wish[name])
    for lets in kept["let_be_used"]:
        lets["groups"] = groups_in(lets["groups"])


def _visit(row: Any, sealer: Sealer) -> dict[str, Any]:
    form = {"form": open_form(sealer, row["id"], row["form"])}
    return {name: _told(value) for name, value in row.items()} | form


def _departure(row: Any, sealer: Sealer) -> dict[str, Any]:
    place = departures.place_of(sealer, row["id"], row["place"]) if row["place"] else None
    return {
        "ticket" if row["of_ticket"] else "appointment": row["id"],
        "place": {"lat": place[0], "lng": place[1], "datum": "wgs84"} if place else None,
        "travel": row["travel"],
        "told_at": _told(row["told_at"]),
    }


def _bill(row: Any) -> dict[str, Any]:
    told = {name: _told(value) for name, value in row.items()}
    return told | {"payments": msgspec.json.decode(row["payments"])}


def _case(row: Any, sealer: Sealer) -> dict[str, Any]:
    told = {name: _told(value) for name, value in row.items()}
    return told | {"steps": [_step(step, sealer) for step in msgspec.json.decode(row["steps"])]}


def _step(step: dict[str, Any], sealer: Sealer) -> dict[str, Any]:
    owner = UUID(step.pop("id"))
    sealed = step["note"]
    note = sealer.open(b64decode(sealed), field=NOTE, owner=owner) if sealed else None
    return step | {"note": note}


def _told(value: Any) -> Any:
    return shown(value) if isinstance(value, datetime) else value


async def _found(tx: Transaction, sql: str, citizen_id: UUID) -> list[dict[str, Any]]:
    return [
        {name: _told(value) for name, value in row}
        for row in (found.items() for found in await tx.rows(sql, citizen_id))
    ]


def _rating(row: Any, sealer: Sealer) -> dict[str, Any]:
    told = {name: _told(value) for name, value in row.items()}
    if row["comment"] is not None:
        told["comment"] = sealer.open(row["comment"], field=ratings.COMMENT, owner=row["id"])
    return told
