"""WeChat as a mini-program's backend meets it: login codes, access tokens, phone numbers."""

import base64
import hashlib
import hmac
import re
import secrets
import time
from typing import Final

import msgspec
from sanic import HTTPResponse, Request, empty, raw

from integrations.sandbox.endpoints import App, Clock, Endpoint, Endpoints
from integrations.sandbox.limits import PerWindow
from integrations.sandbox.personas import Codes, Persona
from integrations.sandbox.replies import answer, read
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.wechat_tokens import Ending, StableTokens

_MESSAGES: Final = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40037: "invalid template_id",
    40125: "invalid appsecret",
    40163: "code been used",
    40226: "code blocked",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    41030: "invalid page",
    42001: "access_token expired",
    43101: "user refuse to accept the msg",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, please retry next minute",
    47001: "data format error",
    47003: "argument invalid!",
}

# "+852 91234567", "+8613800138000" or plain digits, which are Chinese.
_PHONE = re.compile(r"(?:\+(?P<country>86|\d{1,3}(?=[ -]))[ -]?)?(?P<number>\d+)")

_MINUTE_S: Final = 60.0
_DAY_S: Final = 86_400.0


class _TokenRequest(msgspec.Struct):
    grant_type: str = ""
    appid: str = ""
    secret: str = ""
    force_refresh: bool = False


class _PhoneRequest(msgspec.Struct):
    code: str = ""


class _TokenEnd(msgspec.Struct, forbid_unknown_fields=True):
    ending: Ending = "expired"


_token_request = msgspec.json.Decoder(_TokenRequest)
_phone_request = msgspec.json.Decoder(_PhoneRequest)
_token_end = msgspec.json.Decoder(_TokenEnd)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def refuse(errcode: int | str) -> HTTPResponse:
    """Answer as WeChat does when it will not: HTTP 200 with an errcode."""
    code = errcode if isinstance(errcode, int) else -1
    return answer({"errcode": code, "errmsg": _MESSAGES.get(code, "error")})


class WeChat:
    """One mini-program's WeChat."""

    def __init__(self, settings: SandboxSettings, clock: Clock) -> None:
        self._app_id = settings.wechat_app_id
        self._secret = settings.wechat_secret
        self._union_account = settings.wechat_union_account
        self._identity_key = settings.identity_key.encode()
        self._clock = clock
        self._login_codes = Codes(settings.code_life_s, settings.most_codes)
        self._phone_codes = Codes(settings.code_life_s, settings.most_codes)
        self._openids: set[str] = set()
        self._tokens = StableTokens(settings.token_life_s, settings.token_overlap_s)
        self._logins = PerWindow(100, _MINUTE_S)
        self._token_calls_this_minute = PerWindow(10_000, _MINUTE_S)
        self._token_calls_today = PerWindow(500_000, _DAY_S)

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put WeChat's endpoints on the app."""
        for name, method, path, handler in (
            ("jscode2session", "GET", "/sns/jscode2session", self._code_to_session),
            ("stable_token", "POST", "/cgi-bin/stable_token", self._stable_token),
            (
                "getuserphonenumber",
                "POST",
                "/wxa/business/getuserphonenumber",
                self._phone_number,
            ),
        ):
            endpoints.add(app, Endpoint(f"wechat.{name}", method, path, handler, refuse))
        app.add_route(
            self.end_token, "/_sandbox/wechat/end-token", methods=["POST"], name="wechat_end_token"
        )

    def greet(self, persona: Persona) -> dict[str, str]:
        """Return what this person's phone holds: their ids and fresh one-time codes."""
        now = self._clock()
        return self._ids(persona) | {
            "wechat_code": self._login_codes.issue(persona, now),
            "phone_code": self._phone_codes.issue(persona, now),
        }

    async def end_token(self, request: Request) -> HTTPResponse:
        """End the access tokens before their time: `{ending?: expired|void|refused}`."""
        asked = read(_token_end, request.body or b"{}")
        if isinstance(asked, HTTPResponse):
            return asked
        self._tokens.end(asked.ending, self._clock())
        return empty()

    def token_fault(self, request: Request) -> int | None:
        """Return the errcode that stands against a request's access token, if any."""
        if not (token := request.args.get("access_token")):
            return 41001
        standing = self._tokens.standing(token, self._clock())
        return {"good": None, "expired": 42001, "unknown": 40001}[standing]

    def knows(self, openid: str) -> bool:
        """Tell whether somebody has this openid in our mini-program."""
        return openid in self._openids

    def _ids(self, persona: Persona) -> dict[str, str]:
        ids = {"openid": self._id("app", self._app_id, persona)}
        self._openids.add(ids["openid"])
        if self._union_account is not None:
            ids["unionid"] = self._id("union", self._union_account, persona)
        return ids

    def _id(self, kind: str, account: str, persona: Persona) -> str:
        facts = f"{kind}\n{account}\n{persona.id_number}".encode()
        digest = hmac.digest(self._identity_key, facts, hashlib.sha256)
        return "o" + base64.urlsafe_b64encode(digest)[:27].decode()

    async def _code_to_session(self, request: Request) -> HTTPResponse:
        query = request.args
        wrong = self._wrong_account(
            query.get("appid"), query.get("secret"), query.get("grant_type") == "authorization_code"
        )
        if wrong is not None:
            return refuse(wrong)
        if not (text := query.get("js_code")):
            return refuse(41008)
        found = self._spend_login_code(text)
        if isinstance(found, int):
            return refuse(found)
        session_key = base64.b64encode(secrets.token_bytes(16)).decode()
        body = {"session_key": session_key} | self._ids(found)
        return raw(msgspec.json.encode(body), content_type="text/plain")

    def _spend_login_code(self, text: str) -> Persona | int:
        now = self._clock()
        code = self._login_codes.find(text, now)
        if code is None:
            return 40029
        if not self._logins.allows(code.persona.id_number, now):
            return 45011
        if code.used:
            return 40163
        if code.persona.blocked:
            return 40226
        code.used = True
        return code.persona

    async def _stable_token(self, request: Request) -> HTTPResponse:
        try:
            asked = _token_request.decode(request.body)
        except _UNREADABLE:
            return refuse(47001)
        wrong = self._wrong_account(
            asked.appid, asked.secret, asked.grant_type == "client_credential"
        )
        if wrong is not None:
            return refuse(wrong)
        now = self._clock()
        windows = (self._token_calls_this_minute, self._token_calls_today)
        if not all(window.allows("all", now) for window in windows):
            return refuse(45009)
        token = self._tokens.forced(now) if asked.force_refresh else self._tokens.normal(now)
        if token is None:
            return refuse(45009)
        return answer({"access_token": token.text, "expires_in": int(token.dies_at - now)})

    async def _phone_number(self, request: Request) -> HTTPResponse:
        if fault := self.token_fault(request):
            return refuse(fault)
        now = self._clock()
        try:
            asked = _phone_request.decode(request.body)
        except _UNREADABLE:
            return refuse(47001)
        code = self._phone_codes.find(asked.code, now)
        if code is None or code.used:
            return refuse(40029)
        code.used = True
        watermark = {"timestamp": int(time.time()), "appid": self._app_id}
        phone = _phone_info(code.persona.phone) | {"watermark": watermark}
        return answer({"errcode": 0, "errmsg": "ok", "phone_info": phone})

    def _wrong_account(
        self, app_id: str | None, secret: str | None, grant_is_right: bool
    ) -> int | None:
        if not app_id:
            return 41002
        if app_id != self._app_id:
            return 40013
        if not secret:
            return 41004
        if secret != self._secret:
            return 40125
        return None if grant_is_right else 40002


def _phone_info(phone: str) -> dict[str, object]:
    parts = _PHONE.fullmatch(phone)
    country = (parts and parts["country"]) or "86"
    number = parts["number"] if parts else phone
    return {
        "phoneNumber": number if country == "86" else f"+{country}{number}",
        "purePhoneNumber": number,
        "countryCode": country,
    }
