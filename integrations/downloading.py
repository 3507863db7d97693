"""Fetching files that may be large: onto the disk, in bounded memory, whole or not at all."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

_CHUNK: Final = 1 << 20


class NotFetched(Exception):
    """The file did not come; `why` is for the log and names no address."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def download(
    http: httpx.AsyncClient,
    url: str,
    to: Path,
    *,
    headers: Mapping[str, str] | None = None,
    most_bytes: int,
    budget_s: float,
) -> int:
    """Write what is at an address into a file and return its size, or raise NotFetched.

    Redirects are not followed: they would carry our signature elsewhere. What is left of a file
    that did not come whole is taken away.
    """
    try:
        async with asyncio.timeout(budget_s):
            return await _download(http, url, to, headers, most_bytes)
    except TimeoutError:
        why = "too_slow"
    except httpx.InvalidURL:
        why = "no_address"
    except httpx.RequestError as error:
        why = type(error).__name__
    except NotFetched as fault:
        why = fault.why
    await asyncio.to_thread(to.unlink, missing_ok=True)
    raise NotFetched(why)


async def _download(
    http: httpx.AsyncClient,
    url: str,
    to: Path,
    headers: Mapping[str, str] | None,
    most_bytes: int,
) -> int:
    size = 0
    with to.open("wb") as file:
        async with http.stream("GET", url, headers=headers, follow_redirects=False) as answer:
            if answer.status_code != httpx.codes.OK:
                raise NotFetched(f"http_{answer.status_code}")
            async for chunk in answer.aiter_bytes(_CHUNK):
                size += len(chunk)
                if size > most_bytes:
                    raise NotFetched("too_big")
                await asyncio.to_thread(file.write, chunk)
    return size
