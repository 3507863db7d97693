"""Where a citizen meets the province: the page that asks who she is, and doors for tests.

`GET …/authorize` shows a page with everybody who exists; `&persona=<id number>` is somebody who has
chosen already and is sent back at once. `POST /_sandbox/province/authorize` walks an authorize URL
as that person's browser would and answers what the redirect would carry.
"""

from collections.abc import Mapping
from html import escape
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from msgspec import Meta, Struct
from sanic import HTTPResponse, Request, html, redirect

from integrations.sandbox.endpoints import App, Clock, Endpoints
from integrations.sandbox.personas import Persona, Personas
from integrations.sandbox.province import ProvinceDesk, SignInRequest, WrongRequest
from integrations.sandbox.province_guangdong import ProvinceGuangdong, is_guangdong
from integrations.sandbox.province_oidc import TAMPERINGS, ProvinceOidc
from integrations.sandbox.replies import answer, invalid, problem, read
from integrations.sandbox.settings import SandboxSettings

_ID_NUMBER = r"^[0-9A-Za-z()\-]{5,32}\Z"
_SHOWN = 200

_PAGE = """<!doctype html>
<html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>省统一身份认证（沙箱）</title>
<style>body{{font:16px/1.6 system-ui;max-width:32rem;margin:2rem auto;padding:0 1rem}}
a{{display:block;padding:.6rem .8rem;margin:.4rem 0;border:1px solid #ccd;border-radius:.5rem;
color:#124;text-decoration:none}}small{{color:#667}}</style>
<h1>省统一身份认证</h1>
<p>沙箱页面：选择一个虚构的人登录。<br><small>Sandbox: choose an invented person.</small></p>
<form>{kept}<label>姓名或证件号 Name or id number<br>
<input type="search" name="find" value="{words}" maxlength="40"></label>
<button>找 Find</button></form>
{people}
</html>"""


class Walk(Struct, forbid_unknown_fields=True):
    """Whose browser shall open which authorize URL; `tamper` spoils the ID token it leads to.

    In Guangdong's shape there is none, so nothing there can be spoilt.
    """

    id_number: Annotated[str, Meta(pattern=_ID_NUMBER)]
    authorize_url: Annotated[str, Meta(min_length=1, max_length=8192)]
    tamper: str | None = None


class Rotation(Struct, forbid_unknown_fields=True):
    """Whether the keys so far shall be forgotten."""

    drop_old: bool = False


_id_number = msgspec.json.Decoder(Annotated[str, Meta(pattern=_ID_NUMBER)])
_walk = msgspec.json.Decoder(Walk)
_rotation = msgspec.json.Decoder(Rotation)


class Province:
    """The whole platform: both shapes, the page and the sandbox's own doors."""

    def __init__(self, settings: SandboxSettings, clock: Clock, personas: Personas) -> None:
        self._personas = personas
        self._desk = ProvinceDesk(settings, clock)
        self._oidc = ProvinceOidc(self._desk)
        self._guangdong = ProvinceGuangdong(self._desk)

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put the province's endpoints, and our doors to it, on the app."""
        self._oidc.open(app, endpoints, self._authorize)
        self._guangdong.open(app, endpoints, self._authorize)
        for handler, path in (
            (self.walk, "/_sandbox/province/authorize"),
            (self.rotate_keys, "/_sandbox/province/rotate-keys"),
        ):
            app.add_route(handler, path, methods=["POST"], name=f"province_{handler.__name__}")

    def greet(self, persona: Persona) -> dict[str, str]:
        """Return the person's id with the province and a fresh ready-made code."""
        return {
            "province_subject": self._desk.subject(persona),
            "province_code": self._desk.ready_made_code(persona),
        }

    async def walk(self, request: Request) -> HTTPResponse:
        """Open an authorize URL as somebody; `{code, state, redirect}` or `{error, …}`."""
        asked = read(_walk, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        if asked.tamper is not None and asked.tamper not in TAMPERINGS:
            return invalid([{"pointer": "/tamper", "detail": f"one of {', '.join(TAMPERINGS)}"}])
        try:
            url = urlsplit(asked.authorize_url)
        except ValueError:
            return invalid([{"pointer": "/authorize_url", "detail": "not a URL"}])
        if asked.tamper is not None and is_guangdong(url.path):
            return invalid([{"pointer": "/tamper", "detail": "there is no ID token in Guangdong"}])
        query = dict(parse_qsl(url.query))
        found = self._desk.read(query)
        if isinstance(found, WrongRequest) and found.redirect is None:
            return invalid([{"pointer": "/authorize_url", "detail": found.detail}])
        told, back = self._decide(found, self._personas.meet(asked.id_number), asked.tamper)
        return answer(told | {"redirect": back})

    async def rotate_keys(self, request: Request) -> HTTPResponse:
        """Sign ID tokens with a new key from now on."""
        asked = read(_rotation, request.body or b"{}")
        if isinstance(asked, HTTPResponse):
            return asked
        return answer({"kid": await self._oidc.rotate(drop_old=asked.drop_old)})

    async def _authorize(self, request: Request) -> HTTPResponse:
        query = {name: request.args.get(name) or "" for name in request.args}
        found = self._desk.read(query)
        if isinstance(found, WrongRequest):
            if found.redirect is None:
                return problem(400, found.error, found.detail)
            return redirect(_back(found.redirect, _error(found)))
        chosen = query.get("persona")
        if chosen is None:
            return self._page(query)
        try:
            id_number = _id_number.decode(msgspec.json.encode(chosen))
        except msgspec.ValidationError:
            return invalid([{"pointer": "/persona", "detail": "not an id number"}])
        _, back = self._decide(found, self._personas.meet(id_number), None)
        return redirect(back)

    def _decide(
        self, found: SignInRequest | WrongRequest, persona: Persona, tamper: str | None
    ) -> tuple[dict[str, str], str]:
        """Return what goes back to the client, and the address that carries it."""
        if isinstance(found, WrongRequest):
            told, target = _error(found), found.redirect or ""
        elif persona.blocked:
            denied = WrongRequest("access_denied", "the account is locked", "", found.state)
            told, target = _error(denied), found.redirect
        else:
            code = self._desk.grant(persona, found, tamper)
            told, target = _with_state({"code": code}, found.state), found.redirect
        return told, _back(target, told)

    def _page(self, query: Mapping[str, str]) -> HTTPResponse:
        """The newest people, or those whose name or number has the words that were looked for."""
        asked = {name: value for name, value in query.items() if name != "find"}
        words = query.get("find", "").strip()
        people = [
            f'<a href="?{escape(urlencode(asked | {"persona": one.id_number}))}">'
            f"{escape(one.name)} <small>L{one.level} · {escape(one.id_number)}</small></a>"
            for one in self._personas.named_like(words, _SHOWN)
        ]
        nobody = "<p>没有这样的人。Nobody like that: <code>POST /_sandbox/personas</code></p>"
        kept = (
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in asked.items()
        )
        page = {"kept": "".join(kept), "words": escape(words)}
        return html(_PAGE.format(people="\n".join(people) or nobody, **page))


def _error(wrong: WrongRequest) -> dict[str, str]:
    return _with_state({"error": wrong.error, "error_description": wrong.detail}, wrong.state)


def _with_state(told: dict[str, str], state: str | None) -> dict[str, str]:
    return told if state is None else told | {"state": state}


def _back(target: str, told: dict[str, str]) -> str:
    return target + ("&" if urlsplit(target).query else "?") + urlencode(told)
