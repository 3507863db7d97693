"""UnionPay's gateway, version 5.1.0, answering our port of payments."""

from integrations.unionpay.client import UnionPayGateway
from integrations.unionpay.credentials import UnionPayCredentials
from integrations.unionpay.pay import UnionPayPay

__all__ = ["UnionPayCredentials", "UnionPayGateway", "UnionPayPay"]
