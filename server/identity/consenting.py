"""A person's consent: a code sent to her own phone, typed in by whoever is to act for her.

Whoever asks is answered before anybody looks whether the number is known here. So neither what the
answer says nor how long it takes tells who has an account.
"""

from datetime import UTC, datetime
from uuid import UUID

import structlog

from integrations.ports import PlatformUnavailable
from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.identifiers import mask_name
from models.joined import HER_ID
from models.knowing import citizen_with_id, held_with_index, known
from models.proxies import NAME, ProxyState
from models.sealing import Sealer
from models.tickets import Actor, WrongState
from server.auth import Principal
from server.errors import NotFound, TooManyRequests
from server.http.limits import CONSENT_AGAIN, CONSENT_PHONE
from server.identity.otp import OneTimeCodes, Sms
from server.identity.real_names import Claim
from server.identity.refusals import PhoneRefused, SmsCodeWrong
from server.identity.sure import held_surely

log = structlog.get_logger()
TEMPLATE = "family_consent"


async def ask(
    sealer: Sealer,
    codes: OneTimeCodes,
    *,
    proxy_id: UUID,
    citizen_id: UUID,
    person: Claim,
) -> None:
    """Send the person a code, if she is known here by this name and has a phone.

    The message says who wants to act for her. Too many of them to one phone are not sent, and
    nobody is told.
    """
    document = person.document
    found = await citizen_with_id(None, sealer, document.id_type, document.number)
    if found is None:
        return
    asked = await known(None, sealer, found)
    if asked.phone is None or asked.name != person.name:
        return
    asking = await known(None, sealer, citizen_id)
    index = sealer.blind_index("phone", asked.phone)
    try:
        sms = Sms(asked.phone, index, TEMPLATE, {"name": mask_name(asking.name or "")})
        # Not counted for whoever asks: by what is left to her she would know that it was sent. Nor
        # with the codes to this phone that anybody asks for openly.
        await codes.send(
            citizen_id,
            str(proxy_id),
            sms,
            tries=[(CONSENT_AGAIN, index), (CONSENT_PHONE, index)],
        )
    except (TooManyRequests, PhoneRefused, PlatformUnavailable) as fault:
        log.info("consent_not_asked", fault=type(fault).__name__)
        return
    async with transaction() as tx:
        actor, detail = Actor("citizen", citizen_id), {"proxy": str(proxy_id), "fields": ["phone"]}
        await record(tx, Entry(actor, "citizen.asked", "citizen", found, detail=detail))


async def consent(
    sealer: Sealer, codes: OneTimeCodes, proxy_id: UUID, who: Principal, code: str
) -> None:
    """Let a citizen act for the person who was sent this code.

    Raises NotFound, WrongState unless it is asked for, LevelTooLow, or SmsCodeWrong.
    """
    found = await rows(
        f"SELECT state, id_index FROM proxy WHERE citizen_id = {HER_ID} AND id = $2",  # noqa: S608 a constant
        who.id,
        proxy_id,
    )
    if not found:
        raise NotFound
    _require_asked(found[0]["state"])
    await codes.spend(who.id, str(proxy_id), code)
    async with transaction() as tx:
        me = await held_surely(tx, who)
        person = await _person(tx, sealer, proxy_id, found[0]["id_index"])
        await tx.run(
            "UPDATE proxy SET state = 'active', active_at = $2, principal_id = $3 WHERE id = $1",
            proxy_id,
            datetime.now(UTC),
            person,
        )
        actor = Actor("citizen", me)
        await record(tx, Entry(actor, "proxy.consented", "proxy", proxy_id, on_behalf_of=person))


async def _person(tx: Transaction, sealer: Sealer, proxy_id: UUID, index: str) -> UUID:
    """Who was asked. She may have been erased since, or another name been said for her number."""
    person = await held_with_index(tx, index)
    row = await tx.row("SELECT * FROM proxy WHERE id = $1 FOR UPDATE", proxy_id)
    _require_asked(row["state"] if row else None)
    assert row is not None
    if person is None:
        raise SmsCodeWrong
    said = sealer.open(row["name"], field=NAME, owner=proxy_id)
    if (await known(tx, sealer, person)).name != said:
        raise SmsCodeWrong
    return person


def _require_asked(state: str | None) -> None:
    if state != ProxyState.ASKED:
        raise WrongState("no consent is asked for", ProxyState(state) if state else None)
