"""A gateway to the carriers, answering our ports."""

from integrations.sms.gateway import SmsGateway
from integrations.sms.messages import SmsMessages

__all__ = ["SmsGateway", "SmsMessages"]
