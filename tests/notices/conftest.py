"""A courier of the tests' own, and phones on which people allow messages."""

from collections.abc import AsyncIterator

import httpx
import pytest

from models.database import rows
from tests.conftest import Api
from tests.notices.post import Post


@pytest.fixture
async def post(api: Api) -> AsyncIterator[Post]:
    # What other tests' halls have called is not ours to tell.
    await rows("UPDATE notice SET state = 'expired', settled_at = now() WHERE state = 'waiting'")
    async with httpx.AsyncClient(base_url=api.sandbox_url, trust_env=False, timeout=60) as sandbox:
        where = {"url": f"{api.url}/callbacks/wechat/events"}
        (await sandbox.put("/_sandbox/wechat/push", json=where)).raise_for_status()
        yield Post(api, sandbox)
        await sandbox.put("/_sandbox/wechat/push", json={"url": None})
        await sandbox.delete("/_sandbox/faults")
