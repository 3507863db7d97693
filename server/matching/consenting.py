"""Giving and withdrawing consent, and what follows for what is known: in one transaction each."""

from collections.abc import Collection
from datetime import UTC, date, datetime

from models import certificates, consents, topics, traits
from models.audit import Detail, Entry, record
from models.consents import MAY_READ, Purpose
from models.database import Transaction, transaction
from models.joined import held
from models.sealing import Sealer
from models.tickets import Actor
from server.auth import Principal
from server.identity.sure import held_surely
from server.matching.refusals import MoreThanItNeeds


async def give(sealer: Sealer, who: Principal, purpose: Purpose, groups: Collection[str]) -> None:
    """Let just these groups be used for the purpose. Raises MoreThanItNeeds, LevelTooLow."""
    if not MAY_READ[purpose].issuperset(groups):
        raise MoreThanItNeeds
    now = datetime.now(UTC)
    async with transaction() as tx:
        me = await held_surely(tx, who)
        if await consents.give(tx, me, purpose, groups, at=now):
            await traits.learn(tx, sealer, [me], at=now)
            detail: Detail = {"purpose": purpose.value, "groups": sorted(set(groups))}
            await record(
                tx, Entry(Actor("citizen", me), "consent.given", "citizen", me, detail=detail)
            )


async def withdraw(sealer: Sealer, who: Principal, purpose: Purpose) -> None:
    """Nothing is used or sent for the purpose any more; by whatever channel she came in."""
    async with transaction() as tx:
        me = await held(tx, who.id)
        if await consents.withdraw(tx, me, purpose):
            await traits.learn(tx, sealer, [me], at=datetime.now(UTC))
            detail = {"purpose": purpose.value}
            entry = Entry(Actor("citizen", me), "consent.withdrawn", "citizen", me, detail=detail)
            await record(tx, entry)


async def hold(who: Principal, kind: str, expires_on: date | None) -> None:
    """Enter a certificate, or that it was renewed. Raises LevelTooLow."""
    async with transaction() as tx:
        me = await held_surely(tx, who)
        await certificates.hold(tx, me, kind, expires_on, at=datetime.now(UTC))
        await _changed(tx, who, "certificates")


async def drop(who: Principal, kind: str) -> bool:
    """Forget a certificate; whether there was one. Raises LevelTooLow."""
    async with transaction() as tx:
        me = await held_surely(tx, who)
        gone = await certificates.drop(tx, me, kind)
        if gone:
            await _changed(tx, who, "certificates")
    return gone


async def follow(who: Principal, chosen: Collection[str]) -> None:
    """Follow just these topics."""
    async with transaction() as tx:
        await topics.follow(tx, await held(tx, who.id), chosen)


async def _changed(tx: Transaction, who: Principal, field: str) -> None:
    """Last in its transaction, as the log wants."""
    entry = Entry(
        Actor("citizen", who.id), "citizen.changed", "citizen", who.id, detail={"fields": [field]}
    )
    await record(tx, entry)
