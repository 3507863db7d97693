"""Files served from memory: read once, typed, small, with the headers a browser needs."""

import gzip
import hashlib
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from server.errors import NotFound
from server.http.addresses import check_address
from server.http.answers import Answer
from server.http.conditional import is_known
from server.http.endpoint import READS, Handler
from server.web.joining import join

STATIC = Path(__file__).resolve().parent / "static"
# Files that come in one answer: a phone far away waits once for them.
STYLES: Final = {"citizen.all.css": ("yiting.css", "app.css", "citizen.css")}
MODULES: Final = ("citizen/first.js", "citizen/rest.js")
# Pages name their assets by a version, so browsers need not ask again for a year.
CACHED = "public, max-age=31536000, immutable"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def page(
    bp: Blueprint, path: str, *, name: str, methods: Sequence[str] = READS
) -> Callable[[Handler], Handler]:
    """Declare a page or a file: what is served to browsers and is no part of the API."""

    def declare(handler: Handler) -> Handler:
        bp.add_route(handler, path, methods=methods, name=name)
        return handler

    return declare


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file as it goes out, whole and, where that is worth it, compressed."""

    content: bytes
    zipped: bytes | None
    tag: str
    kind: str


@lru_cache
def version() -> str:
    """The version of all assets together: another one as soon as any of them differs."""
    found = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    for content in _joined().values():
        found.update(content)
    return found.hexdigest()[:12]


@lru_cache
def _joined() -> dict[str, bytes]:
    """The files that are made of others, by name."""
    styles = {
        name: b"\n".join((STATIC / part).read_bytes() for part in parts)
        for name, parts in STYLES.items()
    }
    modules = join(STATIC, "citizen/main.js", early=["citizen/halls.js"], files=MODULES)
    return styles | {name: source.encode() for name, source in modules.items()}


@lru_cache
def _names(folder: Path) -> frozenset[str]:
    """Every file of the folder and of those below, as it is asked for."""
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return frozenset(found | _joined().keys() if folder == STATIC else found)


@lru_cache(maxsize=512)
def _read(folder: Path, name: str) -> _Kept:
    made = _joined().get(name) if folder == STATIC else None
    content = (folder / name).read_bytes() if made is None else made
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    is_text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
    if is_text:
        kind += "; charset=utf-8"
    if name.endswith(".html"):
        content = content.replace(b'"/assets/', f'"/assets/{version()}/'.encode())
    zipped = gzip.compress(content, 9, mtime=0) if is_text and len(content) > 1000 else None
    return _Kept(content, zipped, hashlib.sha256(content).hexdigest()[:20], kind)


def serve_file(
    request: Request,
    folder: Path,
    name: str,
    *,
    policy: str = POLICY,
    status: int = 200,
    more: Mapping[str, str] | None = None,
) -> HTTPResponse:
    """A file of the folder or one below, never of another; 304 when the browser has it.

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
    if name not in _names(folder):
        raise NotFound
    kept = _read(folder, name)
    zipped = kept.zipped if "gzip" in request.headers.get("accept-encoding", "") else None
    etag = f'"{kept.tag}{"" if zipped is None else "-gz"}"'
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "ETag": etag,
        **(more or {}),
    }
    if kept.zipped is not None:
        headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Accept-Encoding")))
    if status == 200 and is_known(request, etag):
        return Answer(status=304, headers=headers)
    if zipped is not None:
        headers["Content-Encoding"] = "gzip"
    return Answer(zipped or kept.content, status=status, content_type=kept.kind, headers=headers)
