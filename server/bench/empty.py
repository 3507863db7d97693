"""The limit for reads: a Sanic handler that does nothing, served as the API is.

`python -P server/bench/empty.py FD` is one process of it, on a listening socket it inherits.
"""

import socket
import sys
from typing import Any

from sanic import Request, Sanic
from sanic.response import HTTPResponse, empty


def create_empty() -> Sanic[Any, Any]:
    """One route, no work."""
    app: Sanic[Any, Any] = Sanic("empty", configure_logging=False)
    app.config.AUTO_EXTEND = False
    app.config.KEEP_ALIVE_TIMEOUT = 75

    @app.get("/")
    async def nothing(request: Request) -> HTTPResponse:
        return empty()

    return app


if __name__ == "__main__":
    create_empty().run(
        sock=socket.socket(fileno=int(sys.argv[1])),
        single_process=True,
        motd=False,
        access_log=False,
    )
