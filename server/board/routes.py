"""The board over HTTP, for screens that poll; `/api/v1/live` pushes the same."""

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from server.errors import NotFound, Unavailable
from server.halls.routes import live_hall
from server.http.answers import Answer
from server.http.conditional import is_known
from server.http.endpoint import endpoint
from server.live.state import Board
from server.services import services

bp = Blueprint("board", url_prefix="/api/v1")


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/board",
    summary=("大厅叫号屏", "The public board"),
    tag="board",
    returns=Board,
    refuses=[NotFound, Unavailable],
    conditional=True,
)
async def show_board(request: Request, hall: str) -> HTTPResponse:
    """Who is called where, and how long each line is. `If-None-Match` answers 304."""
    kept = live_hall(services(request), hall)
    headers = {"ETag": kept.etag, "Cache-Control": "no-cache"}
    if is_known(request, kept.etag):
        return Answer(status=304, headers=headers)
    return Answer(kept.board_body, headers=headers, content_type="application/json")
