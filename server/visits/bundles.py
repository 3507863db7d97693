"""Bundles 一件事 over HTTP: items that belong together, what to bring for all, and one form."""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from sanic import Blueprint, Request

from server.errors import FieldFault, InvalidRequest, NotFound
from server.halls.directory import (
    BundleEntry,
    Directory,
    FormField,
    ItemEntry,
    MaterialEntry,
)
from server.http.endpoint import endpoint
from server.services import services

bp = Blueprint("bundles", url_prefix="/api/v1")
_NOT_OURS = ("请原样使用上一页给出的 next_cursor。", "must be a `next_cursor` as it was given")
# Papers that are handed in add up; what is only shown is brought once for all.
_HANDED_IN = frozenset({"copy", "photo", "form"})


class BundleQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bundles: those whose items a hall offers all, a page at a time."""

    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None


class StopOfBundle(msgspec.Struct, frozen=True):
    """An item of a bundle; `after` are those of its items that must be done before."""

    item: str
    name: str
    name_en: str
    after: list[str]


class BundleSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle in a list. `level_required` is the highest that any of its items asks for."""

    code: str
    name: str
    name_en: str
    guide: str
    guide_en: str
    level_required: int
    minutes: int
    fee_fen: int
    items: list[StopOfBundle]


class BundlePage(msgspec.Struct, frozen=True):
    """Bundles by their codes, a page at a time."""

    data: list[BundleSummary]
    next_cursor: str | None


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """A paper or file to bring, told once for all the `items` that ask for it."""

    name: str
    name_en: str
    kind: Literal["original", "copy", "form", "photo", "electronic"]
    copies: int
    required: bool
    notes: list[str]
    notes_en: list[str]
    items: list[str]


class BundleDetail(BundleSummary, frozen=True, kw_only=True):
    """A bundle: its items, all to bring for them, the form filled in once, and where it is done."""

    materials: list[Needed]
    form: list[FormField]
    halls: list[str]


@endpoint(
    bp,
    "GET",
    "/bundles",
    summary=("一件事目录", "Bundles of items"),
    tag="bundles",
    query=BundleQuery,
    returns=BundlePage,
    from_memory=True,
    refuses=[NotFound],
)
async def list_bundles(request: Request, query: BundleQuery) -> BundlePage:
    """Things of life that take several items, by code; with `hall` those done there altogether."""
    directory = services(request).directory
    offered = directory.hall(query.hall).offers if query.hall else None
    if query.cursor is not None and query.cursor not in directory.bundles:
        raise InvalidRequest(errors=[FieldFault("/cursor", _NOT_OURS)])
    found = [
        bundle
        for bundle in directory.bundles.values()
        if (query.cursor is None or bundle.code > query.cursor)
        and (offered is None or all(stop.item in offered for stop in bundle.stops))
    ]
    page = found[: query.limit]
    more = len(found) > len(page)
    return BundlePage(
        [_summary(bundle, directory) for bundle in page], page[-1].code if more else None
    )


@endpoint(
    bp,
    "GET",
    "/bundles/<bundle:str>",
    summary=("一件事办事指南", "One bundle"),
    tag="bundles",
    returns=BundleDetail,
    from_memory=True,
    refuses=[NotFound],
)
async def show_bundle(request: Request, bundle: str) -> BundleDetail:
    """A bundle: its items, what to bring with each paper told once, the form, and the halls."""
    directory = services(request).directory
    entry = directory.bundle(bundle)
    short = msgspec.structs.asdict(_summary(entry, directory))
    return BundleDetail(
        **short,
        materials=needed_for(_items(entry, directory)),
        form=list(entry.form),
        halls=[
            hall.code
            for hall in directory.halls.values()
            if all(stop.item in hall.offers for stop in entry.stops)
        ],
    )


def needed_for(items: Iterable[ItemEntry]) -> list[Needed]:
    """What to bring for these items, each paper once, in the order in which it is first asked for.

    An original serves all of them; copies, photos and forms are handed in and add up.
    """
    asked: dict[tuple[str, str], list[tuple[str, MaterialEntry]]] = {}
    for item in items:
        for material in item.materials:
            asked.setdefault((material.name, material.kind), []).append((item.code, material))
    return [_needed(each) for each in asked.values()]


def _needed(asked: list[tuple[str, MaterialEntry]]) -> Needed:
    first = asked[0][1]
    copies = [material.copies for _, material in asked]
    return Needed(
        name=first.name,
        name_en=first.name_en,
        kind=first.kind,  # type: ignore[arg-type]
        copies=sum(copies) if first.kind in _HANDED_IN else max(copies),
        required=any(material.required for _, material in asked),
        notes=_each_once(material.note for _, material in asked),
        notes_en=_each_once(material.note_en or material.note for _, material in asked),
        items=[code for code, _ in asked],
    )


def _each_once(words: Iterable[str]) -> list[str]:
    return [said for said in dict.fromkeys(words) if said]


def _summary(bundle: BundleEntry, directory: Directory) -> BundleSummary:
    items = _items(bundle, directory)
    return BundleSummary(
        code=bundle.code,
        name=bundle.name,
        name_en=bundle.name_en,
        guide=bundle.guide,
        guide_en=bundle.guide_en,
        level_required=max(item.level_required for item in items),
        minutes=sum(item.minutes for item in items),
        fee_fen=sum(item.fee_fen for item in items),
        items=[
            StopOfBundle(item.code, item.name, item.name_en, list(stop.after))
            for stop, item in zip(bundle.stops, items, strict=True)
        ],
    )


def _items(bundle: BundleEntry, directory: Directory) -> list[ItemEntry]:
    return [directory.item(stop.item) for stop in bundle.stops]
