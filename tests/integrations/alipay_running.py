"""A sandbox whose Alipay and our app know each other's keys, in one of the two modes."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import httpx
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from integrations.alipay import AlipayCredentials, AlipayGateway, AlipaySignIn
from integrations.sandbox import SandboxSettings
from integrations.sandbox.alipay_keys import make_private_key, public_key_of
from tests.integrations.sandbox_running import Json, RunningSandbox, running

Mode = Literal["key", "certificate"]
APP_ID = "2021004100000001"
TOKEN = "alipay.system.oauth.token"
START = "alipay.user.certify.open.initialize"
QUERY = "alipay.user.certify.open.query"


@cache
def a_key(whose: str) -> str:
    """A private key in PEM, the same for the same owner as long as the tests run."""
    return make_private_key()


@cache
def private_key(whose: str) -> RSAPrivateKey:
    key = load_pem_private_key(a_key(whose).encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def alipay_says(content: bytes, *, whose: str = "alipay", more: bytes = b"") -> bytes:
    """An answer to the token method, signed as Alipay does."""
    signature = base64.b64encode(private_key(whose).sign(content, PKCS1v15(), SHA256()))
    name = b"alipay_system_oauth_token_response"
    return b'{"%s":%s%s,"sign":"%s"}' % (name, content, more, signature)


@cache
def plain_credentials(alipay_public_key: str | None = None) -> AlipayCredentials:
    return AlipayCredentials.with_public_key(
        APP_ID, a_key("app"), alipay_public_key or public_key_of(a_key("alipay"))
    )


def settings(**other: Any) -> SandboxSettings:
    return SandboxSettings(
        alipay_app_id=APP_ID,
        alipay_app_public_key=public_key_of(a_key("app")),
        alipay_private_key=a_key("alipay"),
        **other,
    )


@dataclass(frozen=True)
class RunningAlipay:
    """A sandbox, who we are to its Alipay, and short words for asking."""

    sandbox: RunningSandbox
    mode: Mode
    keys: Json
    credentials: AlipayCredentials
    http: httpx.AsyncClient

    @property
    def url(self) -> str:
        return self.sandbox.url + "/gateway.do"

    @property
    def gateway(self) -> AlipayGateway:
        return AlipayGateway(self.http, self.url, self.credentials)

    @property
    def door(self) -> AlipaySignIn:
        return AlipaySignIn(self.gateway)

    async def misbehave(self, method: str, kind: str, **how: Any) -> None:
        fault = {"endpoint": method, "kind": kind} | how
        reply = await self.sandbox.http.put("/_sandbox/faults", json=fault)
        assert reply.status_code == 200, reply.text

    async def asked(self, method: str) -> int:
        rows = (await self.sandbox.http.get("/_sandbox/calls")).json()["data"]
        return int({row["endpoint"]: row["calls"] for row in rows}[method])

    async def stand_before_the_camera(self, certify_id: str, outcome: str = "pass") -> bool:
        face = {"certify_id": certify_id, "outcome": outcome}
        reply = await self.sandbox.http.post("/_sandbox/alipay/faces", json=face)
        assert reply.status_code == 200, reply.text
        return bool(reply.json()["passed"])

    async def payload(self, id_number: str) -> str:
        reply = await self.sandbox.http.post(
            "/_sandbox/alipay/phone", json={"id_number": id_number}
        )
        assert reply.status_code == 201, reply.text
        return str(reply.json()["alipay_phone_payload"])


def credentials_for(mode: Mode, keys: Json) -> AlipayCredentials:
    if mode == "key":
        return plain_credentials(keys["alipay_public_key"])
    return AlipayCredentials.with_certificates(
        keys["app_id"],
        a_key("app"),
        app_cert=keys["app_cert"],
        alipay_certs=[keys["alipay_cert"]],
        alipay_root_cert=keys["alipay_root_cert"],
    )


@asynccontextmanager
async def running_alipay(
    mode: Mode = "key", change: Callable[[Json], Json] = dict, **other: Any
) -> AsyncIterator[RunningAlipay]:
    """Run a sandbox of one's own; `change` may spoil what our app believes about the keys."""
    async with running(settings(**other)) as sandbox, httpx.AsyncClient(trust_env=False) as http:
        keys = (await sandbox.http.get("/_sandbox/alipay/keys")).json()
        credentials = credentials_for(mode, change(keys))
        yield RunningAlipay(sandbox, mode, keys, credentials, http)
