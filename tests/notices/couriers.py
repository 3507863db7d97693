"""A process of couriers, as a worker has them, to be killed at any moment.

It reads what it needs from `couriers.json` in its folder.
"""

import asyncio
import os
from pathlib import Path

import msgspec

from integrations.platforms import PlatformSettings, open_platforms
from integrations.sandbox.accounts import our_accounts
from models.notice_kinds import Urgency
from models.opening import open_database
from models.sealing import Sealer
from server.application import clock_of
from server.halls.reading import read_directory
from server.notices import silences
from server.notices.background import deliver_forever
from server.privacy.key_file import FollowedKeys
from server.settings import read_as, read_settings

NEEDS = "couriers.json"


class Needs(msgspec.Struct):
    """Where the city under test is."""

    database_url: str
    redis_url: str
    sandbox_url: str
    keys: str
    clock_start: str
    clock_anchor: float
    # For so many seconds a platform's word of a turn is waited for.
    word_s: float


async def deliver(needs: Needs) -> None:
    """Deliver notices until killed."""
    folder = Path(needs.keys)
    settings = read_settings(
        mode="demo",
        database_url=needs.database_url,
        redis_url=needs.redis_url,
        token_keys_file=folder / "token-keys.json",
        personal_keys_file=folder / "personal-keys.json",
        sso_keys_file=folder / "sso-keys.json",
        sandbox_url=needs.sandbox_url,
        clock_start=needs.clock_start,
        clock_anchor=needs.clock_anchor,
    )
    clock = clock_of(settings)
    silences.WORD_S[Urgency.TURN] = needs.word_s
    accounts = our_accounts(needs.sandbox_url, "http://127.0.0.1", folder)
    platforms = open_platforms(read_as(PlatformSettings, **accounts), needs.redis_url, clock.now)
    async with open_database(needs.database_url, pool_size=6):
        directory = await read_directory()
        await deliver_forever(
            platforms.messengers,
            directory=lambda: directory,
            sealer=Sealer(FollowedKeys(settings.personal_keys)),
            clock=clock,
        )


def run(folder: Path) -> None:
    """Deliver notices until killed; what is logged goes to `couriers.log`."""
    output = os.open(folder / "couriers.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    asyncio.run(deliver(msgspec.json.decode((folder / NEEDS).read_bytes(), type=Needs)))
