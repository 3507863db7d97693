"""Paying a bill: an order is written down, placed at the channel, and handed to her phone.

No transaction is open while the channel is asked. The order's number is in our rows before the
channel hears it, so nothing is ever paid that we do not know of; whoever lost the answer asks again
and gets the same order.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog

from integrations.ports_payment import ChannelRefused, ChannelUnavailable, OutcomeUnknown
from models import bills, orders
from models.bills import BillState
from models.database import transaction
from models.joined import held
from models.orders import OrderState, StillPending
from models.proving import door_of
from models.tickets import WrongState
from server.auth import Principal
from server.errors import NotFound, Refusal, Unavailable
from server.http.idempotency import Once
from server.payments.channels import channel_of, new_order
from server.payments.looking import close, order_by
from server.payments.refusals import ChannelSaysNo, PayerUnknown
from server.payments.views import PaymentView, PreparedPayment, payment_facts, payment_view
from server.services import Services

log = structlog.get_logger()

_PAYER: Final = """
    SELECT id, subject FROM channel_link WHERE citizen_id = $1 AND platform = $2
    ORDER BY id IS NOT DISTINCT FROM $3 DESC, created_at DESC LIMIT 1
"""
# Channels that only take what somebody known to them pays; UnionPay's page asks for a card.
_KNOWS_PAYERS: Final = frozenset({"wechat", "alipay"})
# What the channel says of an order that is to be asked for anew, once it is closed for sure.
_ANEW: Final = frozenset({"order_paid", "order_closed", "number_used"})


async def pay(
    bill_id: UUID, channel_name: str, who: Principal, once: Once, room: Services
) -> PreparedPayment:
    """Place an order for a bill of hers, or the pending one again. See the route."""
    channel = channel_of(room, channel_name)
    await once.recall()
    now = room.clock.now()
    order, title, payer = await _placed(bill_id, channel_name, who, room)
    try:
        prepared = await channel.create(new_order(order, title, payer, room.settings.issuer))
    except ChannelRefused as no:
        raise await _refusal(no, order, room, now) from None
    except (ChannelUnavailable, OutcomeUnknown) as fault:
        raise Unavailable(fault.retry_after_s) from None
    view = PreparedPayment(**payment_facts(order), client_params=dict(prepared.client_params))
    async with transaction() as tx:
        await once.claim(tx)
        await once.keep(tx, view, status=201)
    return view


async def _placed(
    bill_id: UUID, channel: str, who: Principal, room: Services
) -> tuple[Any, str, str | None]:
    """Her bill's order, its title and its payer; an order in the way is closed first, once."""
    for last in (False, True):
        now = room.clock.now()
        try:
            return await _place(bill_id, channel, who, now)
        except StillPending as before:
            order = await order_by(before.order_id)
            if last or not await close(order, room.platforms.payments, now):
                raise Unavailable(2) from None
    raise Unavailable(2)


async def _place(
    bill_id: UUID, channel: str, who: Principal, now: datetime
) -> tuple[Any, str, str | None]:
    async with transaction() as tx:
        me = await held(tx, who.id)
        bill = await bills.lock(tx, bill_id)
        if bill is None or me not in (bill["citizen_id"], bill["acting_id"]):
            raise NotFound
        state = BillState(bill["state"])
        if state is not BillState.DUE:
            raise WrongState(f"pay from {state}", state)
        payer = None
        if channel in _KNOWS_PAYERS:
            payer = await tx.row(_PAYER, me, channel, await door_of(tx, who.sign_in_id))
            if payer is None:
                raise PayerUnknown
        order = await orders.place(tx, bill, channel, payer and payer["id"], now=now)
    return order, bill["title"], payer and payer["subject"]


async def _refusal(no: ChannelRefused, order: Any, room: Services, now: datetime) -> Refusal:
    """What to tell her whose order the channel would not take."""
    log.warning("order_refused", order=order["order_no"], reason=no.reason, code=no.channel_code)
    if no.reason in _ANEW:
        await close(order, room.platforms.payments, now)
        state = OrderState((await order_by(order["id"]))["state"])
        if state not in (OrderState.PENDING, OrderState.CLOSED):
            raise WrongState("paid already", BillState.PAID)
        return Unavailable(1)
    return PayerUnknown() if no.reason == "payer_unknown" else ChannelSaysNo()


async def own_payment(order_no: str, who: Principal) -> PaymentView:
    """A payment for a bill of hers. Raises NotFound."""
    found = await orders.own(order_no, who.id)
    if found is None:
        raise NotFound
    return payment_view(found)
