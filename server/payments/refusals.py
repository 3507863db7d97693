"""Why money is not taken or given back."""

from server.errors import Refusal


class NoFee(Refusal):
    """The item is free: there is nothing to pay."""

    status, code = 422, "no_fee"
    sentence = ("该事项不收费。", "This item is free of charge.")


class PayerUnknown(Refusal):
    """The channel knows nobody here: sign in through it first, then pay by it."""

    status, code = 422, "payer_unknown"
    sentence = (
        "请先通过该渠道登录，再用其支付。",
        "Sign in through this channel first, then pay by it.",
    )


class ChannelSaysNo(Refusal):
    """The channel takes no money for this, or not from this account: pay another way."""

    status, code = 409, "channel_refused"
    sentence = ("支付渠道拒绝了本次支付，请换一种方式。", "The channel refuses: pay another way.")


class RefundTooMuch(Refusal):
    """More than is left of what was paid; what is on its way back counts."""

    status, code = 409, "refund_too_much"
    sentence = ("退款金额超过可退金额。", "That is more than is left to give back.")


class RequestNoReused(Refusal):
    """This request number stands for a refund of another amount or reason."""

    status, code = 422, "request_no_reused"
    sentence = (
        "该退款请求号已用于另一笔退款。",
        "This request number was used for another refund.",
    )


class NeedsAnother(Refusal):
    """Who asked for a refund does not approve it: a colleague does."""

    status, code = 409, "needs_another"
    sentence = ("申请人不能审批自己的退款。", "Who asked for a refund does not decide on it.")
