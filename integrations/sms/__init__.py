"""A gateway to the carriers, answering our ports."""

from integrations.sms.gateway import SmsGateway

__all__ = ["SmsGateway"]
