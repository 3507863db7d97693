"""The catalogue over HTTP: search and detail."""

from typing import Any

from sanic import Blueprint, Request

from server.errors import FieldFault, InvalidRequest, NotFound
from server.halls.directory import Directory, ItemEntry
from server.halls.views import ItemDetail, ItemPage, ItemQuery, ItemSummary, MaterialView
from server.http.endpoint import endpoint
from server.http.wording import one_of
from server.services import services

bp = Blueprint("items", url_prefix="/api/v1")
_NOT_OURS = ("请原样使用上一页给出的 next_cursor。", "must be a `next_cursor` as it was given")


@endpoint(
    bp,
    "GET",
    "/items",
    summary=("事项目录", "The catalogue of items"),
    tag="items",
    query=ItemQuery,
    returns=ItemPage,
    from_memory=True,
    refuses=[NotFound],
)
async def list_items(request: Request, query: ItemQuery) -> ItemPage:
    """Items by words, theme, audience or hall, in the order of their codes."""
    directory = services(request).directory
    offered = directory.hall(query.hall).offers if query.hall else None
    _check(query, directory)
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
    from_memory=True,
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
        requires=list(entry.requires),
        materials=[
            MaterialView(
                needed.name,
                needed.name_en,
                needed.kind,  # type: ignore[arg-type]
                needed.copies,
                needed.required,
                needed.note,
                needed.note_en,
            )
            for needed in entry.materials
        ],
        halls=[hall.code for hall in directory.halls.values() if item in hall.offers],
    )


def _check(query: ItemQuery, directory: Directory) -> None:
    """Raise InvalidRequest for what would find nothing because there is no such thing."""
    faults = []
    if query.cursor is not None and query.cursor not in directory.items:
        faults.append(FieldFault("/cursor", _NOT_OURS))
    if query.theme is not None and query.theme not in directory.themes:
        faults.append(FieldFault("/theme", one_of(directory.themes)))
    if query.audience is not None and query.audience not in directory.audiences:
        faults.append(FieldFault("/audience", one_of(directory.audiences)))
    if faults:
        raise InvalidRequest(errors=faults)


def mentions(item: ItemEntry, words: str) -> bool:
    """Whether every word is in the item's names, theme, department or guide; any case.

    Its names are those that people have for it, too.
    """
    names = (item.code, item.name, item.name_en, *item.aliases)
    text = " ".join((*names, item.theme_name, item.department_name, item.guide)).casefold()
    return all(word in text for word in words.casefold().split())


def summary(item: ItemEntry) -> ItemSummary:
    """An item as lists show it."""
    return ItemSummary(**_summary_fields(item))


def _summary_fields(item: ItemEntry) -> dict[str, Any]:
    fields = {name: getattr(item, name) for name in ItemSummary.__struct_fields__}
    return fields | {"audience": list(item.audience)}
