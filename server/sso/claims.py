"""What userinfo says of a citizen: each fact only where it was granted and is known.

OpenID Connect Core 5.1 has `name` and `phone_number`; `id_type` and `id_number` are ours.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from models.audit import Entry, record
from models.database import transaction
from models.identifiers import mask_name
from models.joined import NoSuchCitizen
from models.knowing import Known, known
from models.sealing import Sealer
from models.sso import Fact
from models.tickets import Actor

LEVEL_OF_ID = 2


def with_implied(facts: Iterable[Fact]) -> frozenset[Fact]:
    """These facts and those they contain: who may know a whole name may know it masked."""
    told = frozenset(facts)
    return told | {Fact.MASKED_NAME} if Fact.FULL_NAME in told else told


async def personal_claims(
    sealer: Sealer, citizen_id: UUID, facts: frozenset[Fact], *, client_id: UUID
) -> dict[str, Any]:
    """The claims for these facts, without the subject; who was told what is in the audit log."""
    if facts <= {Fact.SUBJECT}:
        return {}
    async with transaction() as tx:
        try:
            citizen = await known(tx, sealer, citizen_id)
        except NoSuchCitizen:
            return {}
        claims = _name(citizen, facts) | _phone(citizen, facts) | _id_number(citizen, facts)
        if claims:
            actor = Actor("department", client_id)
            told = {"fields": sorted(claims)}
            await record(tx, Entry(actor, "citizen.told", "citizen", citizen_id, detail=told))
    return claims


def _name(citizen: Known, facts: frozenset[Fact]) -> dict[str, Any]:
    if citizen.name is None or not facts & {Fact.FULL_NAME, Fact.MASKED_NAME}:
        return {}
    return {"name": citizen.name if Fact.FULL_NAME in facts else mask_name(citizen.name)}


def _phone(citizen: Known, facts: frozenset[Fact]) -> dict[str, Any]:
    if citizen.phone is None or Fact.PHONE not in facts:
        return {}
    # A mainland number is kept without its country; OpenID Connect recommends E.164.
    country = "" if citizen.phone.startswith("+") else "+86"
    return {"phone_number": f"{country}{citizen.phone}", "phone_number_verified": True}


def _id_number(citizen: Known, facts: frozenset[Fact]) -> dict[str, Any]:
    if citizen.id_number is None or Fact.ID_NUMBER not in facts or citizen.level < LEVEL_OF_ID:
        return {}
    return {"id_type": citizen.id_type, "id_number": citizen.id_number}
