"""Pages: static HTML and modules that use the public API and the one socket, nothing else."""

from collections.abc import Callable
from pathlib import Path

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from server.endpoint import refused
from server.errors import Refusal
from server.services import services
from server.web.files import serve_file

bp = Blueprint("pages")
STATIC = Path(__file__).resolve().parent / "static"


def page(request: Request, make: Callable[[], HTTPResponse]) -> HTTPResponse:
    """Make a page, or the problem document when there is none."""
    try:
        return make()
    except Refusal as refusal:
        return refused(request, refusal)


@bp.get("/", name="index")
async def index(request: Request) -> HTTPResponse:
    """Where everything is."""
    return serve_file(STATIC, "index.html")


@bp.get("/board/<hall:str>", name="board_page")
async def board(request: Request, hall: str) -> HTTPResponse:
    """The wall board of a hall."""

    def make() -> HTTPResponse:
        services(request).directory.hall(hall)
        return serve_file(STATIC, "board.html")

    return page(request, make)


@bp.get("/assets/<name:str>", name="assets")
async def assets(request: Request, name: str) -> HTTPResponse:
    """Styles and modules of the pages."""
    return page(request, lambda: serve_file(STATIC, name))
