"""Before a crowd sets out: whether there is a city where it is sent to."""

import asyncio
import time
from urllib.parse import urlsplit

import httpx
import msgspec

from integrations.sandbox.crowd.plan import CrowdPlan

WAITS_S = 15.0
_BETWEEN_TRIES_S = 0.5


class NoCity(Exception):
    """There is no city, or no sandbox, at the address that was given."""


class NoAddress(NoCity):
    """What was given is no address that a city could have."""


class _Halls(msgspec.Struct):
    """As much of a list of halls as tells a city from anything else."""

    as_of: str
    data: list[dict[str, object]]


async def require_city(plan: CrowdPlan, *, wait_s: float = WAITS_S) -> None:
    """Wait a moment for the city and its sandbox. Raises NoAddress or NoCity, in one sentence."""
    for url in (plan.api_url, plan.sandbox_url):
        _require_address(url)
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        halls = await _answer(http, f"{plan.api_url}/api/v1/halls?limit=1", wait_s)
        try:
            msgspec.json.decode(halls.content, type=_Halls)
        except msgspec.DecodeError:
            raise NoCity(f"{plan.api_url} is no city of ours: it lists no halls.") from None
        await _answer(http, f"{plan.sandbox_url}/healthz", wait_s)


def _require_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not url.isprintable() or " " in url:
        raise NoAddress(f"{url!r} is no address; give one such as http://127.0.0.1:8000.")


async def _answer(http: httpx.AsyncClient, url: str, wait_s: float) -> httpx.Response:
    """What is answered there, waiting for a server that starts. Raises NoCity or NoAddress."""
    until = time.monotonic() + wait_s
    while True:
        try:
            reply = await http.get(url)
        except httpx.InvalidURL:
            raise NoAddress(f"{url!r} is no address.") from None
        except httpx.HTTPError as fault:
            said = f"does not answer ({type(fault).__name__})"
        else:
            if reply.is_success:
                return reply
            said = f"answers {reply.status_code}"
            if reply.is_client_error and reply.status_code != httpx.codes.TOO_MANY_REQUESTS:
                raise NoCity(f"{url} {said}: that is no city of ours.")
        if time.monotonic() > until:
            raise NoCity(f"{url} {said}: start the city first, or name where it is.")
        await asyncio.sleep(_BETWEEN_TRIES_S)
