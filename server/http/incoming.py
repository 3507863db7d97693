"""The request as Sanic reads it off the wire, mended where rubbish would make Sanic fall over."""

from typing import Any

from sanic import Request
from sanic.exceptions import BadURL, URITooLong

_NOWHERE = b"*"


class Incoming(Request[Any, Any]):
    """A request whose address can always be told, if only as `*`.

    To answer a request with an impossible address, Sanic makes up an empty one with that same
    address, which fails again: the connection then closes without a word, and a traceback is
    logged. Sanic marks that empty request by the method `NONE`. An address without any path
    (`CONNECT host:443`) fails later, in the same way.
    """

    def __init__(
        self, url_bytes: bytes, headers: Any, version: str, method: str, *rest: Any, **options: Any
    ) -> None:
        try:
            super().__init__(url_bytes, headers, version, method, *rest, **options)
            if self._parsed_url.path is None:
                raise BadURL("The address has no path.")
        except (BadURL, URITooLong):
            if method != "NONE":
                raise
            super().__init__(_NOWHERE, headers, version, method, *rest, **options)
