"""Answers as they go over the wire."""

import gzip
from functools import lru_cache

from sanic import Request
from sanic.response import HTTPResponse

JSON = "application/json"
REQUEST_ID = "X-Request-ID"
_WITHOUT_BODY = (204, 304)
_WORTH_PACKING_B = 4_000


class Answer(HTTPResponse):
    """An answer whose headers are all our own words.

    Sanic cleans every header of every answer, which costs a seventh of a request. Ours never carry
    what somebody else wrote, and they repeat: each is encoded once and remembered. One that is
    `quiet` gets no line in the log: it is one of a flood that is counted elsewhere.
    """

    quiet = False

    @property
    def processed_headers(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override]
        """The headers as bytes, as Sanic sends them."""
        if self.status not in _WITHOUT_BODY:
            self.headers.setdefault("content-type", self.content_type)
        return [
            (b"x-request-id", value.encode()) if name == REQUEST_ID else _encoded(name, value)
            for name, value in self.headers.items()
        ]


def packed(request: Request, body: bytes) -> Answer:
    """JSON that everybody may read, compressed for whoever takes it so: a list of all halls is a
    seventh, which a phone far away waits less for.

    Never for what somebody alone may read: how well it compresses would tell of it (BREACH).
    """
    if len(body) < _WORTH_PACKING_B:
        return Answer(body, content_type=JSON)
    headers = {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = _packed(body)
    return Answer(body, headers=headers, content_type=JSON)


@lru_cache(maxsize=64)
def _packed(body: bytes) -> bytes:
    # The same question gets the same bytes for a while, so it is mostly done once.
    return gzip.compress(body, 4, mtime=0)


@lru_cache(maxsize=8192)
def _encoded(name: str, value: object) -> tuple[bytes, bytes]:
    return name.encode("ascii"), str(value).encode("latin-1")
