"""`If-None-Match` (RFC 9110, 13.1.2): whether whoever asks has what we would answer."""

import re

from sanic import Request

HEADER = "if-none-match"
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_LIST = re.compile(rf"\s*(?:{_TAG.pattern}\s*)?(?:,\s*(?:{_TAG.pattern}\s*)?)*")


def is_known(request: Request, etag: str) -> bool:
    """Whether the request's `If-None-Match` names this tag, weak or strong, or is `*`.

    What is no list of tags is as if it were not there.
    """
    said = request.headers.get(HEADER)
    # Nearly all who ask send back the one tag that they were given.
    if said is None or said == etag:
        return said is not None
    said = ",".join(request.headers.getall(HEADER))
    if said.strip() == "*":
        return True
    if not _LIST.fullmatch(said):
        return False
    return etag.removeprefix("W/") in _TAG.findall(said)
