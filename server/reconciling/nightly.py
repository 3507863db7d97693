"""The nightly run: `app.py reconcile` in a process of its own, for days that are due.

A day of a million lines keeps a processor busy for seconds, in which a worker projects no hall.
"""

import asyncio
import os
import sys
from typing import Final

import structlog

from integrations.ports import Platforms
from server.commands.serving import APP
from server.settings import Settings

log = structlog.get_logger()

# Channels have their statements by ten in the morning in Shanghai, some later: asked every hour
# until it is there, and days that were missed are found again.
CRON: Final = "40 2-12 * * *"
_PATIENCE_S: Final = 3600.0


async def reconcile_what_is_due(settings: Settings, platforms: Platforms) -> None:
    """Reconcile the days of the last week that were not yet; differences are cases then."""
    if not platforms.payments:
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(APP), "reconcile", "--json"),
        env=os.environ | settings.environment(),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_PATIENCE_S):
            code = await process.wait()
        log.info("reconciled", exit_code=code)
    except TimeoutError:
        log.error("reconciling_took_too_long")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
