"""A worker's part in notices: couriers of turns, and others for what can wait."""

import asyncio
from collections.abc import Callable, Mapping

from integrations.ports_message import Messenger
from models.notice_kinds import Urgency
from models.sealing import Sealer
from server.clock import Clock
from server.halls.directory import Directory
from server.notices.courier import Courier
from server.notices.templates import Templates


async def deliver_forever(
    messengers: Mapping[str, Messenger],
    *,
    directory: Callable[[], Directory],
    sealer: Sealer,
    clock: Clock,
) -> None:
    """Deliver notices until cancelled. Turns have couriers of their own: they wait for nobody."""
    templates = Templates()
    async with asyncio.TaskGroup() as group:
        for least, most in ((Urgency.TURN, Urgency.TURN), (Urgency.MATTER, Urgency.CAMPAIGN)):
            courier = Courier(
                messengers,
                templates,
                directory=directory,
                sealer=sealer,
                clock=clock,
                least=least,
                most=most,
            )
            group.create_task(courier.run_forever())
