"""The empty handler with nothing added but the check of who asks, as every guarded route has it.

`python server/bench/guarded.py FD KEYS` is one process of it, on a listening socket it inherits,
with the token keys of the city whose tokens it is to believe. Rate limits count nothing here, as
in the measured city.
"""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import redis.asyncio as aioredis
from sanic import Request
from sanic.response import HTTPResponse, empty

from server.application import ISSUER
from server.auth import SIGNED_IN, Tokens
from server.bench.empty import create_empty
from server.http.endpoint import admit
from server.http.limits import Limits
from server.keys.token_keys import TokenKeys


def serve(fd: int, keys: Path) -> None:
    """Serve until SIGTERM."""
    app = create_empty()
    app.ctx.services = SimpleNamespace(
        tokens=Tokens(TokenKeys.read(keys), ISSUER),
        limits=Limits(aioredis.Redis(), enabled=False),  # never asked
        directory=SimpleNamespace(halls={}),
    )

    @app.get("/guarded")
    async def guarded(request: Request) -> HTTPResponse:
        admit(request, SIGNED_IN, None)
        return empty()

    app.run(sock=socket.socket(fileno=fd), single_process=True, motd=False, access_log=False)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
