"""Files served from memory: read once, typed, with the headers a browser needs."""

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from server.errors import NotFound
from server.http.addresses import check_address
from server.http.answers import Answer
from server.http.conditional import is_known
from server.http.endpoint import READS, Handler

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def page(bp: Blueprint, path: str, *, name: str) -> Callable[[Handler], Handler]:
    """Declare a page or a file: what is served to browsers and is no part of the API."""

    def declare(handler: Handler) -> Handler:
        bp.add_route(handler, path, methods=READS, name=name)
        return handler

    return declare


@lru_cache(maxsize=128)
def _read(path: Path) -> tuple[bytes, str]:
    """A file's bytes and its ETag."""
    content = path.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:20]}"'


def serve_file(
    request: Request,
    folder: Path,
    name: str,
    *,
    policy: str = POLICY,
    status: int = 200,
    more: Mapping[str, str] | None = None,
) -> HTTPResponse:
    """A file of the folder itself, never of another one; 304 when the browser has it.

    `more` are headers. Raises NotFound, and TooManyRequests: it counts against the address.
    """
    check_address(request)
    return file_answer(request, folder, name, policy=policy, status=status, more=more)


def file_answer(
    request: Request,
    folder: Path,
    name: str,
    *,
    policy: str = POLICY,
    status: int = 200,
    more: Mapping[str, str] | None = None,
) -> HTTPResponse:
    """The same for a request that has been counted."""
    path = folder / name
    if path.parent != folder or not path.is_file():
        raise NotFound
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind.endswith(("javascript", "json")):
        kind += "; charset=utf-8"
    content, etag = _read(path)
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "ETag": etag,
        **(more or {}),
    }
    if status == 200 and is_known(request, etag):
        return Answer(status=304, headers=headers)
    return Answer(content, status=status, content_type=kind, headers=headers)
