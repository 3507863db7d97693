"""Taking a number for somebody else."""

from datetime import datetime
from uuid import UUID

from models import proxies
from models.database import Transaction
from models.proxies import Acting, ProxyState
from models.sealing import Sealer
from scheduler.calendar import business_day
from server.auth import Principal
from server.errors import NotFound
from server.numbers.refusals import ProxyNotActive


async def acting_for(
    tx: Transaction, sealer: Sealer, proxy_id: UUID, who: Principal, now: datetime
) -> Acting:
    """Whom she acts for through a proxy, which holds until the transaction ends.

    Raises NotFound, or ProxyNotActive.
    """
    acting = await proxies.acting(tx, sealer, proxy_id, who.id, today=business_day(now))
    if acting is None:
        raise NotFound
    if acting.state is not ProxyState.ACTIVE or acting.outgrown:
        raise ProxyNotActive
    return acting
