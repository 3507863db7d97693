"""The payment channels, played: one book of orders for all, a file or two for each channel.

A channel (`PlayedChannel` in till.py) is named beside `WeChatPay` in create.py: it places orders
in the book, says how its callbacks look, and writes its bill from `Till.bills.lines`.
"""

from integrations.sandbox.payments.till import Till
from integrations.sandbox.payments.wechat_pay import WeChatPay

__all__ = ["Till", "WeChatPay"]
