"""Where I live, as I say it: some items are only for residents of a town."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from sanic import Blueprint, Request

from models.audit import Entry, record
from models.database import transaction
from models.knowing import remember_residence
from models.tickets import Actor
from server.auth import CITIZEN, Principal
from server.errors import LevelTooLow
from server.halls.choosing import check_home
from server.http.endpoint import endpoint
from server.identity.sure import held_surely
from server.identity.views import CitizenView, citizen_view
from server.services import services

bp = Blueprint("residence", url_prefix="/api/v1")


class Residence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code of the hall of the town or village where I live; null forgets it."""

    town: Annotated[str, msgspec.Meta(min_length=1, max_length=16, examples=["dg-24"])] | None


@endpoint(
    bp,
    "PUT",
    "/me/residence",
    summary=("申报居住镇街", "Where I live"),
    tag="identity",
    guard=CITIZEN,
    body=Residence,
    returns=CitizenView,
    refuses=[LevelTooLow],
)
async def set_residence(request: Request, who: Principal, body: Residence) -> CitizenView:
    """Say where I live. Items for residents of a town are then offered by its halls.

    It is kept sealed and only asked for there; the counter looks at papers all the same.
    """
    room = services(request)
    if body.town is not None:
        check_home(room.directory, body.town, at="/town")
    async with transaction() as tx:
        me = await held_surely(tx, who)
        await remember_residence(tx, room.sealer, me, town=body.town, at=datetime.now(UTC))
        changed = {"fields": ["residence"]}
        entry = Entry(Actor("citizen", me), "citizen.changed", "citizen", me, detail=changed)
        await record(tx, entry)
    return await citizen_view(who, room.sealer)
