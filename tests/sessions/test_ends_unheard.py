"""A sign-in that is over is refused at once also by a process that hears no words of others."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from server import application
from server.auth import Tokens
from server.errors import NotSignedIn
from server.live.feed import Feed
from tests.conftest import Api, until


@dataclass
class Process:
    """Another process: what it believes, and what it hears."""

    tokens: Tokens
    feed: Feed

    def believes(self, token: str) -> bool:
        try:
            self.tokens.read(token)
        except NotSignedIn:
            return False
        return True


@pytest.fixture
async def deaf(api: Api) -> AsyncIterator[Process]:
    tokens = Tokens(api.services.tokens._keys, application.ISSUER)
    process = Process(tokens, Feed(api.services.valkey, []))
    task = asyncio.create_task(application._remember_ended(tokens, process.feed))
    yield process
    task.cancel()


async def test_a_deaf_process_finds_it_in_postgresql_at_once(api: Api, deaf: Process) -> None:
    lin = await api.citizen()
    assert deaf.believes(lin.token)
    await lin.delete("/sessions/current")
    await until(lambda: not deaf.believes(lin.token))


async def test_a_hearing_process_asks_once_when_it_hears_again_and_then_seldom(
    api: Api, deaf: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[UUID] = []

    async def ended() -> set[UUID]:
        asked.append(uuid4())
        return set(asked)

    monkeypatch.setattr(application, "ENDED_UNHEARD_S", 0.01)
    monkeypatch.setattr(application, "ended_recently", ended)
    await until(lambda: len(asked) > 3)
    deaf.feed.hears_by = 1
    await asyncio.sleep(0.2)
    # The API under test looks now and then too; unheard, it would be twenty looks each time.
    after_hearing = len(asked)
    await asyncio.sleep(0.2)
    assert len(asked) <= after_hearing + 2
    before_loss = len(asked)
    deaf.feed.hears_by = 2  # it was lost, and came back between two looks
    await until(lambda: len(asked) > before_loss)
    await asyncio.sleep(0.2)
    assert len(asked) <= before_loss + 3
    assert deaf.tokens.ended <= set(asked)
