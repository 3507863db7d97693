"""Answers as they go over the wire."""

from functools import lru_cache

from sanic.response import HTTPResponse

JSON = "application/json"
REQUEST_ID = "X-Request-ID"
_WITHOUT_BODY = (204, 304)


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


@lru_cache(maxsize=8192)
def _encoded(name: str, value: object) -> tuple[bytes, bytes]:
    return name.encode("ascii"), str(value).encode("latin-1")
