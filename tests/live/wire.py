"""A wire to Valkey that a test may cut, or let go silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit


class Wire:
    """Passes bytes between a socket of its own and Valkey's."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self._theirs = urlsplit(redis_url).path
        self._ours = folder / "wire"
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.url = f"unix://{self._ours}"

    async def join(self) -> None:
        """Take connections, and pass on what comes."""
        self._open.set()
        self._server = await asyncio.start_unix_server(self._connected, self._ours)

    async def cut(self) -> None:
        """End every connection, and take no new one."""
        assert self._server is not None
        self._server.close()
        self._ours.unlink(missing_ok=True)
        for task in list(self._passing):
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def fall_silent(self) -> None:
        """Pass nothing on any more, and end nothing either."""
        self._open.clear()

    def speak(self) -> None:
        """Pass on again."""
        self._open.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up, down = await asyncio.open_unix_connection(self._theirs)
        for source, sink in ((reader, down), (up, writer)):
            task = asyncio.create_task(self._pass(source, sink))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            return
        finally:
            sink.close()


@asynccontextmanager
async def a_wire(redis_url: str, folder: Path) -> AsyncIterator[Wire]:
    """A wire that is joined; cut at the end."""
    wire = Wire(redis_url, folder)
    await wire.join()
    try:
        yield wire
    finally:
        with suppress(FileNotFoundError):
            await wire.cut()
