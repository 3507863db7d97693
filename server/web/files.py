"""Files served from memory: read once, typed, with the headers a browser needs."""

import mimetypes
from functools import lru_cache
from pathlib import Path

from sanic.response import HTTPResponse

from server.errors import NotFound

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


@lru_cache(maxsize=128)
def _read(path: Path) -> bytes:
    return path.read_bytes()


def serve_file(folder: Path, name: str, *, policy: str = POLICY, status: int = 200) -> HTTPResponse:
    """A file of the folder itself, never of another one. Raises NotFound."""
    path = folder / name
    if path.parent != folder or not path.is_file():
        raise NotFound
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind.endswith(("javascript", "json")):
        kind += "; charset=utf-8"
    return HTTPResponse(
        _read(path),
        status=status,
        content_type=kind,
        headers={
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        },
    )
