"""Signing in with Alipay: a one-time code from the phone becomes a visitor."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from integrations.alipay.client import AlipayGateway
from integrations.asking import require_code
from integrations.ports import RefusalReason, Visitor

_METHOD: Final = "alipay.system.oauth.token"

# One sub_code for wrong, spent and expired codes alike.
_REFUSALS: Final[dict[str, RefusalReason]] = {"isv.code-invalid": "code_invalid"}

_Id = Annotated[str, Meta(max_length=128)]


class _Tokens(Struct):
    """What we use of the answer; the tokens are not even decoded."""

    open_id: _Id | None = None
    user_id: _Id | None = None
    union_id: _Id | None = None


class AlipaySignIn:
    """Asks `alipay.system.oauth.token` who sent the code that `my.getAuthCode` gave the phone.

    A code works once, so after a lost answer the phone must bring a fresh one; that costs it
    nothing.
    """

    def __init__(self, gateway: AlipayGateway) -> None:
        self._gateway = gateway

    async def who_is(self, code: str) -> Visitor:
        """Spend the code and name its owner, or raise PlatformRefused or PlatformUnavailable."""
        require_code(code)
        tokens = await self._gateway.ask(
            _METHOD,
            _Tokens,
            params={"grant_type": "authorization_code", "code": code},
            refusals=_REFUSALS,
        )
        return self._visitor(tokens)

    def _visitor(self, tokens: _Tokens) -> Visitor:
        app_id, union_id = self._gateway.app_id, tokens.union_id or None
        if tokens.open_id:
            return Visitor("alipay", app_id, tokens.open_id, union_id, tokens.user_id or None)
        if tokens.user_id:
            # Apps from before the open_id are told nothing else.
            return Visitor("alipay", app_id, tokens.user_id, union_id)
        raise self._gateway.unavailable(_METHOD, "no_id")
