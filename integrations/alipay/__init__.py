"""Alipay mini-programs, answering our ports."""

from integrations.alipay.certify import AlipayFaceCheck
from integrations.alipay.client import AlipayGateway
from integrations.alipay.credentials import AlipayCredentials
from integrations.alipay.messages import AlipayMessages
from integrations.alipay.pay import AlipayPay
from integrations.alipay.phone import AlipayPhone
from integrations.alipay.sign_in import AlipaySignIn

__all__ = [
    "AlipayCredentials",
    "AlipayFaceCheck",
    "AlipayGateway",
    "AlipayMessages",
    "AlipayPay",
    "AlipayPhone",
    "AlipaySignIn",
]
