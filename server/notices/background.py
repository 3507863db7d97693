"""A worker's part in notices: a courier of turns, and others for what can wait."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from integrations.ports_message import Messenger
from models.notice_kinds import Urgency
from models.sealing import Sealer
from server.clock import Clock
from server.halls.directory import Directory
from server.notices.courier import Courier
from server.notices.templates import Templates

# How many of each are under way at a time: what can wait leaves the process free for what cannot.
AT_ONCE: Final = {Urgency.TURN: 32, Urgency.MATTER: 16, Urgency.CAMPAIGN: 8}


async def deliver_forever(
    messengers: Mapping[str, Messenger],
    *,
    directory: Callable[[], Directory],
    sealer: Sealer,
    clock: Clock,
) -> None:
    """Deliver notices until cancelled. Each urgency has its own courier: turns wait for nobody."""
    templates = Templates()
    async with asyncio.TaskGroup() as group:
        for urgency, at_once in AT_ONCE.items():
            courier = Courier(
                messengers,
                templates,
                directory=directory,
                sealer=sealer,
                clock=clock,
                least=urgency,
                most=urgency,
                at_once=at_once,
            )
            group.create_task(courier.run_forever())
