"""Departments' systems and citizens' browsers, over real HTTP, as their programs would do it."""

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import jwt

from tests.conftest import Api
from tests.people import Person

REDIRECT = "https://social.example.gov.cn/callback"
AFTER_LOGOUT = "https://social.example.gov.cn/bye"


def challenge_of(verifier: str) -> str:
    made = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


@dataclass
class Department:
    """A registered client that asks by hand, so that it can also ask wrongly."""

    http: httpx.AsyncClient
    client_id: str
    secret: str | None
    redirect_uri: str = REDIRECT
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def asks(self, **changed: str | None) -> str:
        """The address it sends a citizen to; what is changed to None is left out."""
        said: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": "openid profile",
            "state": "a state/with?signs&中文",
            "nonce": "n-0S6_WzA2Mj",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        kept = {name: value for name, value in (said | changed).items() if value is not None}
        return f"/oauth2/authorize?{urlencode(kept)}"

    async def post(self, path: str, **form: str | None) -> httpx.Response:
        """A back-channel request with this client's secret in HTTP Basic."""
        said = {name: value for name, value in form.items() if value is not None}
        if self.secret is None:
            return await self.http.post(path, data={"client_id": self.client_id, **said})
        return await self.http.post(path, data=said, auth=(self.client_id, self.secret))

    async def redeem(self, code: str, /, **changed: str | None) -> httpx.Response:
        said: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        return await self.post("/oauth2/token", **(said | changed))

    async def refresh(self, token: str, **more: str) -> httpx.Response:
        return await self.post(
            "/oauth2/token", grant_type="refresh_token", refresh_token=token, **more
        )

    async def userinfo(self, access_token: str) -> httpx.Response:
        return await self.http.get(
            "/oauth2/userinfo", headers={"Authorization": f"Bearer {access_token}"}
        )


@dataclass
class Browser:
    """A citizen's browser: keeps cookies, follows our own redirects, presses buttons."""

    http: httpx.AsyncClient

    async def open(self, address: str, **headers: str) -> httpx.Response:
        """The page that an address leads to, or the redirect to another site."""
        answer = await self.http.get(address, headers=headers)
        return await self._follow(answer)

    async def press(self, page: httpx.Response, decision: str, **changed: str) -> httpx.Response:
        """Press a button of a page of ours."""
        action, said = form_of(page)
        answer = await self.http.post(action, data={**said, "decision": decision, **changed})
        return await self._follow(answer)

    async def _follow(self, answer: httpx.Response) -> httpx.Response:
        for _ in range(10):
            if answer.status_code != 303 or not answer.headers["location"].startswith("/"):
                return answer
            answer = await self.http.get(answer.headers["location"])
        raise AssertionError("it goes round in circles")


def form_of(page: httpx.Response) -> tuple[str, dict[str, str]]:
    """Where the page's form goes, and its hidden fields."""
    assert page.status_code == 200, page.text
    action = re.search(r"<form method='post' action='([^']+)'", page.text)
    assert action, page.text
    fields = re.findall(r"<input type='hidden' name='(\w+)' value='([^']*)'", page.text)
    return action[1], {name: html.unescape(value) for name, value in fields}


def told(answer: httpx.Response, redirect_uri: str = REDIRECT) -> dict[str, str]:
    """What a redirect tells the client."""
    assert answer.status_code == 303, answer.text
    location = answer.headers["location"]
    assert location.startswith(redirect_uri + "?"), location
    return dict(parse_qsl(urlsplit(location).query))


def code_shown(page: httpx.Response) -> str:
    """The code a sign-in page shows."""
    found = re.search(r'<p class="code"[^>]*>([A-Z]{4}-[A-Z]{4})<', page.text)
    assert found, page.text
    return found[1]


def claims_of(id_token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(id_token, options={"verify_signature": False})
    return found


async def register(api: Api, admin: Person, **more: Any) -> Department:
    """A new client of its own for a test."""
    body = {
        "client_id": f"dept-{secrets.token_hex(6)}",
        "name": "社会保险经办系统",
        "name_en": "Social insurance",
        "redirect_uris": [REDIRECT],
        "post_logout_redirect_uris": [AFTER_LOGOUT],
        **more,
    }
    answer = await admin.post("/admin/sso/clients", body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Department(
        api.http,
        made["client"]["client_id"],
        made["client_secret"],
        redirect_uri=body["redirect_uris"][0],
    )


async def signed_in_browser(browser: Browser, person: Person) -> None:
    """Sign a browser in by a hand-over from the mini-program."""
    handed = await person.post("/me/handover", {})
    assert handed.status_code == 201, handed.text
    page = await browser.open(handed.json()["url"])
    assert "已登录" in page.text


async def code_of(browser: Browser, department: Department, **asked: str | None) -> str:
    """A code for the department, agreeing where the browser is asked."""
    page = await browser.open(department.asks(**asked))
    if page.status_code == 200:
        page = await browser.press(page, "agree")
    return told(page, department.redirect_uri)["code"]


async def tokens_of(
    browser: Browser, department: Department, **asked: str | None
) -> dict[str, Any]:
    answer = await department.redeem(await code_of(browser, department, **asked))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
