"""Guangdong's unified identity platform (广东省统一身份认证平台), or one shaped like it.

No official document was at hand. Paths, parameters and account fields are as several public
integrations use them: `authorize` with `service=initService&scope=all`, then `access_token`, then
`tokeninfo`, whose `userobj` holds the account. Assumed, because nobody shows it: that state and
PKCE parameters are carried, and which `errcode` means what; the latter is configuration. There is
no ID token, so the nonce has nowhere to come back: PKCE binds the code to our sign-in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx
from msgspec import Struct
from msgspec.json import Decoder

from integrations.asking import SOON_S, Asking, require_code
from integrations.ports import IdType, PlatformRefused, ProvinceVisitor, RefusalReason
from integrations.province.handshake import require_verifier, vouched, with_query

_BUSY: Final = "-1"
_REFUSALS: Final[Mapping[str, RefusalReason]] = {
    "20001": "code_invalid",
    "20002": "code_used",
    "20003": "code_invalid",
    "20004": "code_invalid",
    "20005": "user_blocked",
}


@dataclass(frozen=True, slots=True)
class GuangdongAccounts:
    """The names and values of the account sheet; another province, another sheet.

    `levels` is deliberately no better than theirs: their L1 is a checked name without more, which
    counts as 1 here and opens nothing that wants a real name. `errors` tells which `errcode` is
    the citizen's affair, `our_faults` which is ours; all others mean "not now".
    """

    account: str = "userobj"
    subject: str = "useridcode"
    kind: str = "usertype"
    person: str = "1"
    level: str = "creditable_level_of_account"
    real: tuple[str, ...] = ("isreal", "is_real")
    name: str = "cn"
    id_type: str = "idcardtype"
    id_number: str = "idcardnumber"
    phone: str = "telephonenumber"
    levels: Mapping[str, int] = field(default_factory=lambda: {"L0": 0, "L1": 1, "L2": 2, "L3": 3})
    id_types: Mapping[str, IdType] = field(
        default_factory=lambda: {"10": "resident_id", "20": "passport"}
    )
    errors: Mapping[str, RefusalReason] = field(default_factory=lambda: dict(_REFUSALS))
    our_faults: frozenset[str] = frozenset({"10001", "10002", "10003"})


class _Token(Struct):
    access_token: str = ""
    errcode: str | int = ""


_token = Decoder(_Token)
_account = Decoder(dict[str, Any])


class GuangdongSignIn:
    """Signs people in with Guangdong's platform, within `budget_s` seconds in all.

    The platform takes our secret and its tokens as query parameters of a GET; where it also takes
    a POST, `method="POST"` keeps them out of its access logs. Ours never show queries.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        host: str,
        client_id: str,
        secret: str,
        *,
        path: str = "/tif/sso/connect/page/oauth2",
        accounts: GuangdongAccounts | None = None,
        method: Literal["GET", "POST"] = "GET",
        budget_s: float = 5.0,
    ) -> None:
        self._asking = Asking(http, "province", budget_s=budget_s)
        self._url = host.rstrip("/") + path.rstrip("/")
        self._client_id = client_id
        self._secret = secret
        self._accounts = accounts or GuangdongAccounts()
        self._method: Literal["GET", "POST"] = method

    async def begin(self, state: str, nonce: str, code_challenge: str, redirect: str) -> str:
        """Return the URL that the citizen's browser has to open; nobody is asked."""
        query = {
            "service": "initService",
            "response_type": "code",
            "client_id": self._client_id,
            "scope": "all",
            "redirect_uri": redirect,
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return with_query(f"{self._url}/authorize", query)

    async def finish(
        self, code: str, code_verifier: str, nonce: str, redirect: str
    ) -> ProvinceVisitor:
        """Spend the code and name its owner, or raise PlatformRefused or PlatformUnavailable."""
        require_code(code, longest=1024)
        require_verifier(code_verifier)
        async with self._asking.within_budget():
            token = await self._spend(code, code_verifier, redirect)
            account = await self._tokeninfo(token)
        return self._visitor(account)

    async def _spend(self, code: str, code_verifier: str, redirect: str) -> str:
        answer = await self._ask(
            "access_token",
            {
                "grant_type": "authorization_code",
                "service": "initService",
                "scope": "all",
                "client_id": self._client_id,
                "client_secret": self._secret,
                "code": code,
                "code_verifier": code_verifier,
                "redirect_uri": redirect,
            },
        )
        told = self._asking.read(_token, answer)
        self._refuse(str(told.errcode))
        if not told.access_token:
            raise self._asking.unavailable("no_token")
        return told.access_token

    async def _tokeninfo(self, token: str) -> dict[str, Any]:
        answer = await self._ask("tokeninfo", {"access_token": token})
        told = self._asking.read(_account, answer)
        self._refuse(str(told.get("errcode", "")))
        account = told.get(self._accounts.account)
        if not isinstance(account, dict):
            raise self._asking.unavailable("no_account")
        return account

    async def _ask(self, step: str, facts: dict[str, str]) -> httpx.Response:
        place: dict[str, Any] = {"params": facts} if self._method == "GET" else {"form": facts}
        answer = await self._asking.ask(self._method, f"{self._url}/{step}", **place)
        if answer.status_code != httpx.codes.OK:
            raise self._asking.unavailable(step, status=answer.status_code)
        return answer

    def _refuse(self, errcode: str) -> None:
        if errcode in ("", "0"):
            return
        if reason := self._accounts.errors.get(errcode):
            raise PlatformRefused(reason, errcode)
        if errcode in self._accounts.our_faults:
            raise self._asking.misconfigured(f"errcode_{errcode}", client_id=self._client_id)
        if errcode == _BUSY:
            raise self._asking.unavailable("busy", SOON_S)
        raise self._asking.unavailable("unknown_errcode", errcode=errcode[:32])

    def _visitor(self, account: Mapping[str, Any]) -> ProvinceVisitor:
        sheet = self._accounts
        kind = _text(account, sheet.kind)
        if kind is not None and kind != sheet.person:
            raise PlatformRefused("not_a_person", f"{sheet.kind}_{kind[:8]}")
        subject = _text(account, sheet.subject)
        if subject is None:
            raise self._asking.unavailable("no_subject")
        level = sheet.levels.get(_text(account, sheet.level) or "", 0)
        if any(_text(account, flag) == "false" for flag in sheet.real):
            level = 0
        return vouched(
            self._client_id,
            subject,
            level,
            name=_text(account, sheet.name),
            id_type=sheet.id_types.get(_text(account, sheet.id_type) or ""),
            id_number=_text(account, sheet.id_number),
            phone=_text(account, sheet.phone),
        )


def _text(account: Mapping[str, Any], name: str) -> str | None:
    """Return what stands there; the platform writes "-1" for nothing and stars for "not you"."""
    value = account.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 128 or value == "-1" or "*" in value:
        return None
    return value
