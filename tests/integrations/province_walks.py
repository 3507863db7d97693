"""A citizen's way to the province and back, as our server and her browser go it."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx

from integrations.ports import ProvinceSignIn, ProvinceVisitor
from integrations.province import GuangdongSignIn, OidcSignIn
from tests.integrations.sandbox_running import Json, RunningSandbox

REDIRECT = "https://city.example/province/back"
NAME, ID_NUMBER, PHONE = "张三丰", "99000119900307001X", "13800138000"


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass
class Walk:
    """One sign-in under way: what our server keeps for it."""

    sandbox: RunningSandbox
    door: ProvinceSignIn
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    async def url(self) -> str:
        return await self.door.begin(self.state, self.nonce, challenge_of(self.verifier), REDIRECT)

    async def there(self, tamper: str | None = None, id_number: str = ID_NUMBER) -> Json:
        """Walk the URL and return what the redirect brings."""
        body = {"id_number": id_number, "authorize_url": await self.url(), "tamper": tamper}
        reply = await self.sandbox.http.post("/_sandbox/province/authorize", json=body)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def code(self, tamper: str | None = None) -> str:
        return str((await self.there(tamper))["code"])

    async def finish(self, code: str, **other: str) -> ProvinceVisitor:
        facts = {"code_verifier": self.verifier, "nonce": self.nonce, "redirect": REDIRECT}
        return await self.door.finish(code, **(facts | other))


def oidc_door(sandbox: RunningSandbox, http: httpx.AsyncClient, **other: Any) -> OidcSignIn:
    account = sandbox.settings
    facts = {
        "issuer": f"{sandbox.url}/province",
        "client_id": account.province_client_id,
        "secret": account.province_secret,
    }
    return OidcSignIn(http, **(facts | other))


def guangdong_door(
    sandbox: RunningSandbox, http: httpx.AsyncClient, **other: Any
) -> GuangdongSignIn:
    account = sandbox.settings
    facts = {
        "host": sandbox.url,
        "client_id": account.province_client_id,
        "secret": account.province_secret,
    }
    return GuangdongSignIn(http, **(facts | other))


async def break_endpoint(sandbox: RunningSandbox, endpoint: str, kind: str, **how: Any) -> None:
    fault = {"endpoint": endpoint, "kind": kind} | how
    reply = await sandbox.http.put("/_sandbox/faults", json=fault)
    assert reply.status_code == 200, reply.text


async def calls_of(sandbox: RunningSandbox, endpoint: str) -> int:
    rows = (await sandbox.http.get("/_sandbox/calls")).json()["data"]
    return int(next(row["calls"] for row in rows if row["endpoint"] == endpoint))
