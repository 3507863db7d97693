"""WeChat Pay's answers and failures in the words of our port."""

from typing import Any, Final, NoReturn, TypeVar

from msgspec.json import Decoder

from integrations.asking import LATER_S
from integrations.ports import PlatformUnavailable
from integrations.ports_payment import (
    ChannelRefused,
    ChannelUnavailable,
    OutcomeUnknown,
    RefusedReason,
)
from integrations.wechat.pay.exchange import Answer, Exchange, NothingChanged

T = TypeVar("T")

# By WeChat's words without their underscores.
NO_SUCH: Final = frozenset({"ORDERNOTEXIST", "RESOURCENOTEXISTS"})
_REFUSALS: Final[dict[str, RefusedReason]] = {
    "ORDERPAID": "order_paid",
    "ORDERCLOSED": "order_closed",
    "ORDERNOTEXIST": "order_unknown",
    "RESOURCENOTEXISTS": "order_unknown",
    "OUTTRADENOUSED": "number_used",
    "OPENIDMISMATCH": "payer_unknown",
    "USERNOTEXISTS": "payer_unknown",
    "USERACCOUNTABNORMAL": "account_blocked",
    "REQUESTBLOCKED": "account_blocked",
    "NOTENOUGH": "balance_short",
    "PARAMERROR": "request_invalid",
    "INVALIDREQUEST": "request_invalid",
}


class Questions:
    """Asks through an exchange; what goes wrong is one of the port's errors."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def look(self, target: str, also: frozenset[str] = NO_SUCH) -> Answer:
        """Ask what changes nothing; returns a success, or a refusal that is `also` an answer.

        Raises ChannelUnavailable.
        """
        try:
            answer = await self._exchange.ask("GET", target)
            if not (answer.is_success or answer.code in also):
                self._exchange.give_up(answer)
        except PlatformUnavailable as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None
        return answer

    async def change(self, target: str, body: object) -> Answer:
        """Ask for a change and return whatever surely came of it.

        Raises ChannelUnavailable or OutcomeUnknown.
        """
        try:
            return await self._exchange.ask("POST", target, body)
        except NothingChanged as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None
        except PlatformUnavailable as fault:
            raise OutcomeUnknown(fault.retry_after_s) from None

    def done(self, decoder: Decoder[T], answer: Answer) -> T:
        """Return what the success of a change says, or raise what it was instead."""
        if not answer.is_success:
            self.refuse(answer)
        try:
            return self._exchange.read(decoder, answer)
        except PlatformUnavailable as fault:
            raise OutcomeUnknown(fault.retry_after_s) from None

    def seen(self, decoder: Decoder[T], answer: Answer) -> T:
        """Return what the success of a look says, or raise ChannelUnavailable."""
        try:
            return self._exchange.read(decoder, answer)
        except PlatformUnavailable as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None

    def refuse(self, answer: Answer) -> NoReturn:
        """Raise what an answer that is no success means; it always raises."""
        if reason := _REFUSALS.get(answer.code):
            raise ChannelRefused(reason, answer.code)
        try:
            self._exchange.give_up(answer)
        except NothingChanged as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None
        except PlatformUnavailable as fault:
            raise OutcomeUnknown(fault.retry_after_s) from None

    def strange(self, why: str, **facts: Any) -> ChannelUnavailable:
        """Log an answer that cannot be, and return the exception to raise."""
        self._exchange.asking.unavailable(why, **facts)
        return ChannelUnavailable(LATER_S)
