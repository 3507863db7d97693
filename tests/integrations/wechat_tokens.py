"""WeChat's access token as the sandbox gives it."""

import asyncio

import redis.asyncio as aioredis

from integrations.wechat import AccessToken
from tests.integrations.sandbox_running import RunningSandbox
from tests.integrations.wechat_running import token_key

ASKED = "wechat.stable_token"


def key(sandbox: RunningSandbox, what: str = "token") -> str:
    return token_key(sandbox.settings.wechat_app_id, what)


async def quiet(sandbox: RunningSandbox, valkey: aioredis.Redis) -> None:
    """Let the moment after a failed renewal pass."""
    await valkey.delete(key(sandbox, "trouble"))
    sandbox.clock.move(2)


async def until_renewed(token: AccessToken, old: str) -> str:
    for _ in range(500):
        if (new := await token.current()) != old:
            return new
        await asyncio.sleep(0.01)
    raise AssertionError("it was not renewed")
