"""A courier of the tests' own, and phones on which people allow messages."""

import json
import os
import time
from collections.abc import AsyncIterator
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
import pytest

from models.database import rows
from models.notice_kinds import Urgency
from server.notices import silences
from tests.conftest import Api
from tests.notices import couriers
from tests.notices.post import Post, Spawn

NOTICES = int(os.environ.get("YITING_CHAOS_NOTICES", "200"))
# How long a platform's word is waited for: as in a city, or less where few are told few things.
WORD_S = silences.WORD_S[Urgency.TURN] if NOTICES >= 2_000 else 8.0


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


@pytest.fixture
async def spawn(api: Api, tmp_path: Path) -> AsyncIterator[Spawn]:
    """Starts processes of couriers; kills what is left of them.

    They are forked from one that has read its modules, so that one is at work soon after another
    was killed.
    """
    room, started = api.services, list[BaseProcess]()
    forks = get_context("forkserver")
    forks.set_forkserver_preload(["tests.notices.couriers"])
    assert api.settings.database_url is not None
    assert api.settings.redis_url is not None
    assert api.settings.token_keys_file is not None
    needs = {
        "database_url": api.settings.database_url.get_secret_value(),
        "redis_url": api.settings.redis_url.get_secret_value(),
        "sandbox_url": api.sandbox_url,
        "keys": str(api.settings.token_keys_file.parent),
        "clock_start": room.clock.now().isoformat(),
        "clock_anchor": time.time(),
        "word_s": WORD_S,
    }
    (tmp_path / couriers.NEEDS).write_text(json.dumps(needs))

    def start() -> BaseProcess:
        started.append(forks.Process(target=couriers.run, args=(tmp_path,), daemon=True))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.join()
