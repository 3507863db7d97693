"""The catalogue over HTTP: search and detail."""

from typing import Any

from sanic import Blueprint, Request

from server.endpoint import endpoint
from server.errors import NotFound
from server.halls.directory import ItemEntry
from server.halls.views import ItemDetail, ItemPage, ItemQuery, ItemSummary, MaterialView
from server.services import services

bp = Blueprint("items", url_prefix="/api/v1")


@endpoint(
    bp,
    "GET",
    "/items",
    summary=("事项目录", "The catalogue of items"),
    tag="items",
    query=ItemQuery,
    returns=ItemPage,
    refuses=[NotFound],
)
async def list_items(request: Request, query: ItemQuery) -> ItemPage:
    """Items by words, theme, audience or hall, in the order of their codes."""
    directory = services(request).directory
    offered = directory.hall(query.hall).offers if query.hall else None
    found = [
        item
        for item in directory.items.values()
        if (query.cursor is None or item.code > query.cursor)
        and (query.theme is None or item.theme == query.theme)
        and (query.audience is None or query.audience in item.audience)
        and (offered is None or item.code in offered)
        and mentions(item, query.q)
    ]
    page = found[: query.limit]
    more = len(found) > len(page)
    return ItemPage([summary(item) for item in page], page[-1].code if more else None)


@endpoint(
    bp,
    "GET",
    "/items/<item:str>",
    summary=("事项办事指南", "One item with its guide"),
    tag="items",
    returns=ItemDetail,
    refuses=[NotFound],
)
async def show_item(request: Request, item: str) -> ItemDetail:
    """An item: guide, all its materials at once, fee, level, and where it is offered."""
    directory = services(request).directory
    entry = directory.item(item)
    return ItemDetail(
        **_summary_fields(entry),
        guide=entry.guide,
        guide_en=entry.guide_en,
        materials=[
            MaterialView(
                needed.name,
                needed.name_en,
                needed.kind,  # type: ignore[arg-type]
                needed.copies,
                needed.required,
                needed.note,
            )
            for needed in entry.materials
        ],
        halls=[hall.code for hall in directory.halls.values() if item in hall.offers],
    )


def mentions(item: ItemEntry, words: str) -> bool:
    """Whether every word is in the item's names, theme, department or guide; any case."""
    text = " ".join(
        (item.code, item.name, item.name_en, item.theme_name, item.department_name, item.guide)
    ).casefold()
    return all(word in text for word in words.casefold().split())


def summary(item: ItemEntry) -> ItemSummary:
    """An item as lists show it."""
    return ItemSummary(**_summary_fields(item))


def _summary_fields(item: ItemEntry) -> dict[str, Any]:
    fields = {name: getattr(item, name) for name in ItemSummary.__struct_fields__}
    return fields | {"audience": list(item.audience)}
