"""Why a receipt is not shown."""

from server.errors import Refusal


class ReceiptUnknown(Refusal):
    """No receipt bears this code: it was mistyped, or the paper is forged."""

    status, code = 404, "receipt_unknown"
    sentence = (
        "查无此票据：校验码有误，或票据是伪造的。",
        "No receipt bears this code: it was mistyped, or the paper is forged.",
    )
