"""What a worker does about money: looks where no callback came, gives back, settles what was left.

All of it is told by the rows alone, so that a worker that dies forgets nothing: another finds it.
"""

import asyncio
from typing import Final

import structlog

from server.clock import Clock
from server.faults import is_store_fault
from server.live.feed import Feed
from server.payments.abandoning import look_after_abandoned
from server.payments.carrying import look_after_held
from server.payments.collecting import look_after_collecting
from server.payments.looking import Channels, ask_about_doubts, look_after_orders
from server.payments.refunding import look_after_refunds
from server.payments.settling import settle_news

log = structlog.get_logger()

TEND_EVERY_S: Final = 1.0
DOUBTS_EVERY_S: Final = 15.0
REFRESH_KEYS_EVERY_S: Final = 12 * 3600.0


async def tend_payments_forever(
    channels: Channels, public_url: str, clock: Clock, feed: Feed
) -> None:
    """Do what is due about once a second, until cancelled."""
    refreshed_at, doubted_at = -REFRESH_KEYS_EVERY_S, 0.0
    while True:
        now = asyncio.get_running_loop().time()
        if now - refreshed_at >= REFRESH_KEYS_EVERY_S:
            refreshed_at = now
            await refresh_keys(channels)
        try:
            await settle_news(clock.now())
            await look_after_orders(channels, clock.now())
            if now - doubted_at >= DOUBTS_EVERY_S:
                doubted_at = now
                await ask_about_doubts(channels, clock.now())
            await look_after_held()
            await look_after_collecting(feed, clock.now())
            await look_after_abandoned(clock.now())
            await look_after_refunds(channels, public_url, clock.now())
        except Exception as fault:
            if not is_store_fault(fault):
                raise
            log.warning("payments_not_tended", fault=type(fault).__name__)
        await asyncio.sleep(TEND_EVERY_S)


async def refresh_keys(channels: Channels) -> None:
    """Fetch the keys that channels sign with; one that is away is asked again with the next."""
    for name, channel in channels.items():
        try:
            await channel.refresh_keys()
        except Exception as fault:
            log.warning("keys_not_refreshed", channel=name, fault=type(fault).__name__)
