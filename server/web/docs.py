"""`/docs`: the API document, Swagger UI over it (its files come in a package, so no internet is
needed), and the page that lists every refusal code."""

from functools import lru_cache
from html import escape
from importlib.util import find_spec
from pathlib import Path

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, html

from server.errors import Refusal
from server.http.addresses import check_address
from server.http.answers import Answer
from server.web.files import POLICY, STATIC, page, serve_file
from server.web.openapi import document

bp = Blueprint("docs", url_prefix="/docs")
# Swagger UI sets styles on elements by itself.
SWAGGER_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


@lru_cache
def _swagger_folder() -> Path:
    spec = find_spec("drf_spectacular_sidecar")
    assert spec, "it is in requirements.lock"
    assert spec.origin
    return Path(spec.origin).parent / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"


@lru_cache
def _document() -> bytes:
    return msgspec.json.encode(document())


@page(bp, "/", name="docs")
async def docs(request: Request) -> HTTPResponse:
    """Swagger UI."""
    return serve_file(request, STATIC, "docs.html", policy=SWAGGER_POLICY)


@page(bp, "/openapi.json", name="openapi")
async def openapi(request: Request) -> HTTPResponse:
    """The OpenAPI document."""
    check_address(request)
    return Answer(_document(), content_type="application/json")


@page(bp, "/swagger/<name:str>", name="swagger")
async def swagger(request: Request, name: str) -> HTTPResponse:
    """Swagger UI's own files."""
    return serve_file(request, _swagger_folder(), name)


def _explained(refusal: type[Refusal]) -> str:
    """What a refusal means, as its class says it."""
    return escape(" ".join((refusal.__doc__ or "").split()).replace("`", ""))


@page(bp, "/problems", name="problems")
async def problems(request: Request) -> HTTPResponse:
    """Every refusal code, what it means, and its status."""
    check_address(request)
    rows = "".join(
        f"<tr id='{escape(code)}'><td><code>{escape(code)}</code></td><td>{refusal.status}</td>"
        f"<td>{escape(refusal.sentence[0])}<br><small>{_explained(refusal)}</small></td></tr>"
        for code, refusal in sorted(Refusal.known.items())
    )
    return html(
        "<!doctype html><html lang='zh-CN'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<title>错误代码 · 一厅通</title>"
        "<link rel='icon' href='/assets/icon.svg' type='image/svg+xml'>"
        "<link rel='stylesheet' href='/assets/yiting.css'>"
        f"<main class='page'><h1>错误代码 Problem codes</h1><table>{rows}</table></main></html>",
        headers={"Content-Security-Policy": POLICY},
    )
