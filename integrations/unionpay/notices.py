"""What UnionPay tells us by itself: forms signed with a certificate that travels in them.

Nothing in them tells when they were sent, so none is too old: what happens once is held by
`queryId`, which UnionPay gives each transaction once for ever. Arguments of the address they are
sent to are not signed, and nobody reads them: only the body counts.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from integrations.forms import MOST_BYTES, NotAForm, read_form
from integrations.ports_payment import ChannelNews, ChannelOrder, ChannelRefund, NotGenuine
from integrations.unionpay.client import DONE, UnionPayGateway, from_beijing
from integrations.unionpay.wire import CONSUME, CURRENCY, REFUND, VOID, fen_in, traced_at

_REQUIRED: Final = (
    "merId",
    "orderId",
    "queryId",
    "respCode",
    "signPubKeyCert",
    "signature",
    "txnAmt",
    "txnTime",
    "txnType",
)


def read_notice(gateway: UnionPayGateway, body: bytes) -> ChannelNews:
    """Return a genuine notice's news, or raise NotGenuine."""
    fields = _fields(body)
    if not gateway.is_genuine(fields):
        raise NotGenuine("wrong_signature")
    if fields["merId"] != gateway.merchant:
        raise NotGenuine("foreign_merchant")
    if fields.get("currencyCode", CURRENCY) != CURRENCY:
        raise NotGenuine("foreign_currency")
    try:
        return _news(fields)
    except ValueError:
        raise NotGenuine("malformed") from None


def _fields(body: bytes) -> dict[str, str]:
    if len(body) > MOST_BYTES:
        raise NotGenuine("too_big")
    try:
        fields = read_form(body)
    except NotAForm:
        raise NotGenuine("malformed") from None
    if not all(fields.get(name) for name in _REQUIRED):
        raise NotGenuine("malformed")
    return fields


def _news(fields: Mapping[str, str]) -> ChannelNews:
    signed_at = from_beijing(fields["txnTime"])
    kind, is_done = fields["txnType"], fields["respCode"] in DONE
    order = refund = None
    if kind == CONSUME:
        order = ChannelOrder(
            order_no=fields["orderId"],
            state="paid" if is_done else "unpaid",
            amount_fen=fen_in(fields["txnAmt"]),
            channel_no=fields["queryId"],
            paid_at=_traced(fields, signed_at) if is_done else None,
        )
    elif kind in (REFUND, VOID):
        refund = ChannelRefund(
            refund_no=fields["orderId"],
            state="done" if is_done else "pending",
            refund_fen=fen_in(fields["txnAmt"]),
            channel_refund_no=fields["queryId"],
            done_at=_traced(fields, signed_at) if is_done else None,
        )
    return ChannelNews(
        channel="unionpay",
        # A transaction has one queryId; should it be told with another outcome, that is news.
        event_id=f"{kind}-{fields['queryId']}-{fields['respCode']}",
        signed_at=signed_at,
        order=order,
        refund=refund,
    )


def _traced(fields: Mapping[str, str], after: datetime) -> datetime | None:
    return traced_at(fields.get("traceTime", ""), after)
