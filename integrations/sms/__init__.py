"""A gateway to the carriers, answering our ports."""

from integrations.sms.aliyun import AliyunSms
from integrations.sms.gateway import SmsGateway
from integrations.sms.in_turn import SmsInTurn
from integrations.sms.messages import SmsMessages
from integrations.sms.receipts import AliyunReceipts, GatewayReceipts, TencentReceipts
from integrations.sms.tencent import TencentSms

__all__ = [
    "AliyunReceipts",
    "AliyunSms",
    "GatewayReceipts",
    "SmsGateway",
    "SmsInTurn",
    "SmsMessages",
    "TencentReceipts",
    "TencentSms",
]
