"""Downloads WeChat Pay's bills: in pieces, unpacked and hashed on the way, whole or not at all.

An application for a bill is answered with a hash and an address; the file behind the address is
not signed, and its hash (SHA-1, over what is in it unpacked) is what vouches for it.
"""

import asyncio
import hashlib
import os
import zlib
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from msgspec import Struct
from msgspec.json import Decoder

from integrations.ports_bill import DayBill
from integrations.ports_payment import BillNotMade
from integrations.wechat.pay.exchange import Exchange
from integrations.wechat.pay.questions import Questions
from integrations.wechat.pay.shapes import CHANNEL

_NOT_MADE: Final = "STATEMENTCREATING"
_NONE: Final = "NOSTATEMENTEXIST"
_NOT_MADE_YET_S: Final = 900
_PIECE: Final = 1 << 20
# Against a file that never ends, packed or not: some thirty million lines.
_MOST_BYTES: Final = 10 << 30
_GZIP: Final = b"\x1f"  # no text begins so
_PATIENCE: Final = httpx.Timeout(60.0, connect=5.0)


class _Told(Struct):
    hash_type: str
    hash_value: str
    download_url: str


_told = Decoder(_Told)


class TooBig(ValueError):
    """More came than any day's bill has."""


class BillDesk:
    """Where bills are applied for and handed out."""

    def __init__(self, http: httpx.AsyncClient, exchange: Exchange, ask: Questions) -> None:
        self._http = http
        self._exchange = exchange
        self._ask = ask

    async def fetch_trades(self, day: date, folder: Path) -> DayBill | None:
        """Fetch the bill of payments and refunds."""
        target = f"/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP"
        return await self._fetch(target, day, folder / f"{CHANNEL}-trades-{day}.csv")

    async def fetch_funds(self, day: date, folder: Path) -> DayBill | None:
        """Fetch the bill of our basic account's movements."""
        target = f"/v3/bill/fundflowbill?bill_date={day}&account_type=BASIC&tar_type=GZIP"
        return await self._fetch(target, day, folder / f"{CHANNEL}-funds-{day}.csv")

    async def _fetch(self, target: str, day: date, file: Path) -> DayBill | None:
        answer = await self._ask.look(target, also=frozenset({_NONE, _NOT_MADE}))
        if answer.code == _NONE:
            return None
        if answer.code == _NOT_MADE:
            raise BillNotMade(_NOT_MADE_YET_S)
        told = self._ask.seen(_told, answer)
        if told.hash_type != "SHA1":
            raise self._ask.strange("bill_hash_unknown")
        part = file.with_suffix(f".{os.getpid()}.part")
        try:
            size = await self._download(told, part)
            await asyncio.to_thread(part.replace, file)
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)
        return DayBill(CHANNEL, day, file, size)

    async def _download(self, told: _Told, part: Path) -> int:
        """Write the file and return its size; raises ChannelUnavailable unless its hash is right.

        Only the path of the address counts: our signature goes to WeChat Pay and nobody else.
        """
        address = urlsplit(told.download_url)
        target = f"{address.path}?{address.query}" if address.query else address.path
        unpacking = await asyncio.to_thread(Unpacking, part)
        try:
            async with self._http.stream(
                "GET",
                self._exchange.url(target),
                headers=self._exchange.signed_headers("GET", target),
                timeout=_PATIENCE,
                follow_redirects=False,
            ) as reply:
                if reply.status_code != httpx.codes.OK:
                    raise self._ask.strange("bill_not_handed_out", status=reply.status_code)
                async for piece in reply.aiter_raw(_PIECE):
                    await asyncio.to_thread(unpacking.take, piece)
        except httpx.HTTPError as error:
            raise self._ask.strange("bill_cut_off", kind=type(error).__name__) from None
        except (zlib.error, TooBig) as error:
            raise self._ask.strange("bill_unreadable", kind=type(error).__name__) from None
        finally:
            await asyncio.to_thread(unpacking.close)
        if not unpacking.is_whole or unpacking.sha1 != told.hash_value.lower():
            raise self._ask.strange("bill_hash_differs", size=unpacking.size)
        return unpacking.size


class Unpacking:
    """Writes what comes into a file, unpacking gzip where it is that, and hashes what it writes.

    Each piece is unpacked a mebibyte at a time, so one that unpacks to terabytes harms nobody.
    """

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._gzip: zlib._Decompress | None = None
        self._began = False
        self.size = 0

    @property
    def sha1(self) -> str:
        """The hash, in hexadecimal, of all that was written."""
        return self._sha1.hexdigest()

    @property
    def is_whole(self) -> bool:
        """Whether what was packed came to its end."""
        return self._gzip is None or self._gzip.eof

    def take(self, piece: bytes) -> None:
        """Write one piece; raises zlib.error or TooBig."""
        if not self._began:
            self._began = True
            if piece.startswith(_GZIP):
                self._gzip = zlib.decompressobj(wbits=31)
        if self._gzip is None:
            self._write(piece)
            return
        while not self._gzip.eof:
            content = self._gzip.decompress(piece, _PIECE)
            self._write(content)
            piece = self._gzip.unconsumed_tail
            # All taken in may still not be all given out.
            if not piece and len(content) < _PIECE:
                return

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, content: bytes) -> None:
        self.size += len(content)
        if self.size > _MOST_BYTES:
            raise TooBig
        self._sha1.update(content)
        self._file.write(content)
