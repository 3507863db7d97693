"""WeChat Pay, API v3: JSAPI orders from the mini-program, refunds, callbacks and bills."""

from integrations.wechat.pay.channel import WeChatPay
from integrations.wechat.pay.credentials import WeChatPayCredentials

__all__ = ["WeChatPay", "WeChatPayCredentials"]
