"""Processes that share WeChat's access token, played by clients of their own in this one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import redis.asyncio as aioredis

from integrations.wechat import AccessToken, WeChatClient, WeChatPhone
from tests.integrations.sandbox_running import RunningSandbox


def token_key(app_id: str, what: str = "token") -> str:
    return f"yiting:wechat:{{{app_id}}}:{what}"


def a_token(
    sandbox: RunningSandbox, http: httpx.AsyncClient, valkey: aioredis.Redis, **other: Any
) -> AccessToken:
    account = sandbox.settings
    facts: dict[str, Any] = {
        "host": sandbox.url,
        "app_id": account.wechat_app_id,
        "secret": account.wechat_secret,
        "clock": sandbox.clock,
    }
    return AccessToken(http, valkey, **(facts | other))


def a_phone(
    sandbox: RunningSandbox, http: httpx.AsyncClient, token: AccessToken, **other: Any
) -> WeChatPhone:
    """A reader of phone numbers; its `now` is real time, as the sandbox's watermarks are."""
    return WeChatPhone(WeChatClient(http, sandbox.url, token, **other))


@asynccontextmanager
async def processes(
    sandbox: RunningSandbox, valkey_url: str, how_many: int = 1, **other: Any
) -> AsyncIterator[list[AccessToken]]:
    """Tokens of so many processes, each with connections of its own."""
    clients = [httpx.AsyncClient(trust_env=False) for _ in range(how_many)]
    valkeys = [aioredis.from_url(valkey_url) for _ in range(how_many)]
    tokens = [a_token(sandbox, h, v, **other) for h, v in zip(clients, valkeys, strict=True)]
    try:
        yield tokens
    finally:
        for token in tokens:
            await token.close()
        for client in clients:
            await client.aclose()
        for valkey in valkeys:
            await valkey.aclose()
