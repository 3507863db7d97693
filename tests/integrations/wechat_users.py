"""A process of its own in which many people hand in their phone codes at the same moment.

Started by a test. Reads one line of JSON, says "ready" once it holds a token, waits for another
line, and prints how many numbers were told.
"""

import asyncio
import json
import sys
from typing import Any

import httpx
import redis.asyncio as aioredis

from integrations.wechat import AccessToken, WeChatClient, WeChatPhone


async def main(facts: dict[str, Any]) -> None:
    valkey = aioredis.from_url(facts["valkey"])
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(trust_env=False, limits=limits) as http:
        token = AccessToken(
            http,
            valkey,
            facts["wechat"],
            facts["app_id"],
            facts["secret"],
            budget_s=facts["budget_s"],
        )
        client = WeChatClient(http, facts["wechat"], token, budget_s=60)
        phones = WeChatPhone(client)
        await token.current()
        print("ready", flush=True)  # noqa: T201 the test listens
        await asyncio.to_thread(sys.stdin.readline)
        told = await asyncio.gather(
            *(phones.phone_of(code) for code in facts["codes"]), return_exceptions=True
        )
        print(sum(isinstance(one, str) for one in told), flush=True)  # noqa: T201
    await valkey.aclose()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.readline())))
