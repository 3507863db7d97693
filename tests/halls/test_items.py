"""The catalogue: found by words, theme, audience and hall; a page at a time; nothing left out."""

from typing import Any

import httpx
import pytest

from tests.conftest import Api


async def items(api: Api, **query: Any) -> httpx.Response:
    return await api.http.get("/api/v1/items", params=query)


async def codes(api: Api, **query: Any) -> list[str]:
    """The codes of all that match, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        reply = await items(api, **query, **({"cursor": cursor} if cursor else {}))
        assert reply.status_code == 200, reply.text
        found += [item["code"] for item in reply.json()["data"]]
        cursor = reply.json()["next_cursor"]
        if cursor is None:
            return found


async def test_everything_comes_once_and_in_order(api: Api) -> None:
    every = sorted(api.services.directory.items)
    for limit in (1, 7, 50, 100):
        assert await codes(api, limit=limit) == every


async def test_the_last_page_says_that_it_is(api: Api) -> None:
    every = sorted(api.services.directory.items)
    reply = (await items(api, limit=1, cursor=every[-2])).json()
    assert [item["code"] for item in reply["data"]] == every[-1:]
    assert reply["next_cursor"] is None
    assert (await items(api, cursor=every[-1])).json() == {"data": [], "next_cursor": None}


async def test_a_cursor_that_is_none_of_ours_is_refused(api: Api) -> None:
    reply = await items(api, cursor="zzzz")
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/cursor")


async def test_words_find_in_chinese_and_english_in_any_case(api: Api) -> None:
    assert "social-card-renewal" in await codes(api, q="社会保障卡")
    assert "social-card-renewal" in await codes(api, q="SECURITY card Replacement")
    both = await codes(api, q="社会保障卡 换领")
    assert "social-card-renewal" in both
    assert "social-card-first" not in both
    assert await codes(api, q="不存在的事项") == []
    assert await codes(api, q="   ") == sorted(api.services.directory.items)


@pytest.mark.parametrize(
    ("word", "item"),
    [
        ("社保卡", "social-card-renewal"),
        ("医保", "medical-reimbursement"),
        ("护照", "passport"),
        ("公积金", "housing-fund-rent"),
        ("驾照", "driving-licence-renewal"),
        ("户口本", "household-register-replacement"),
        ("补社保卡", "social-card-renewal"),
    ],
)
async def test_the_words_people_use_find_too(api: Api, word: str, item: str) -> None:
    assert item in await codes(api, q=word)


async def test_what_people_call_it_is_found_by_and_never_shown(api: Api) -> None:
    listed = (await items(api, q="驾照")).json()["data"]
    assert listed
    assert "驾照" not in (await items(api, q="驾照")).text
    assert "aliases" not in listed[0]


async def test_signs_with_a_meaning_elsewhere_are_plain_text_here(api: Api) -> None:
    for words in ("%", "_", "'", "\\", ".*", "("):
        found = await codes(api, q=words)
        assert len(found) < len(api.services.directory.items) or words in (".*", "'", "(")


async def test_theme_audience_and_hall_narrow_the_list(api: Api) -> None:
    directory = api.services.directory
    theme = directory.items["social-card-renewal"].theme
    by_theme = await codes(api, theme=theme)
    assert by_theme == sorted(c for c, item in directory.items.items() if item.theme == theme)
    audience = directory.items["social-card-renewal"].audience[0]
    by_audience = await codes(api, audience=audience)
    assert by_audience == sorted(
        code for code, item in directory.items.items() if audience in item.audience
    )
    by_hall = await codes(api, hall="dg-24")
    assert by_hall == sorted(directory.hall("dg-24").offers)
    assert 0 < len(by_hall) < len(directory.items)
    everything = await codes(api, theme=theme, audience=audience, hall="dg-24", q="社会保障卡")
    assert set(everything) <= set(by_theme) & set(by_audience) & set(by_hall)


@pytest.mark.parametrize("name", ["theme", "audience"])
async def test_a_theme_or_an_audience_that_is_none_is_refused_and_the_known_ones_are_named(
    api: Api, name: str
) -> None:
    reply = await items(api, **{name: "nobody"})
    assert reply.status_code == 422
    [error] = reply.json()["errors"]
    assert error["pointer"] == f"/{name}"
    for item in api.services.directory.items.values():
        known = item.theme if name == "theme" else item.audience[0]
        assert known in error["detail"]


async def test_the_guide_lists_all_materials_at_once(api: Api) -> None:
    reply = await api.http.get("/api/v1/items/social-card-renewal")
    assert reply.status_code == 200
    detail = reply.json()
    entry = api.services.directory.items["social-card-renewal"]
    assert detail["official_code"] == entry.official_code
    assert (detail["guide"], detail["guide_en"]) == (entry.guide, entry.guide_en)
    assert (detail["fee_fen"], detail["minutes"]) == (entry.fee_fen, entry.minutes)
    assert (detail["level_required"], detail["bookable"]) == (entry.level_required, entry.bookable)
    assert [needed["name"] for needed in detail["materials"]] == [
        needed.name for needed in entry.materials
    ]
    assert detail["materials"]
    fields = {"name", "name_en", "kind", "copies", "required", "note", "note_en"}
    assert set(detail["materials"][0]) == fields
    assert all(bool(needed["note"]) == bool(needed["note_en"]) for needed in detail["materials"])
    assert any(needed["note_en"] for needed in detail["materials"])
    assert detail["halls"] == [
        hall.code
        for hall in api.services.directory.halls.values()
        if "social-card-renewal" in hall.offers
    ]


async def test_list_and_detail_say_the_same(api: Api) -> None:
    for summary in (await items(api, limit=5)).json()["data"]:
        detail = (await api.http.get(f"/api/v1/items/{summary['code']}")).json()
        assert {name: detail[name] for name in summary} == summary


@pytest.mark.parametrize("item", ["no-such-item", "%00", "Social-Card-Renewal", "x" * 500])
async def test_an_item_that_is_none_is_not_found(api: Api, item: str) -> None:
    reply = await api.http.get(f"/api/v1/items/{item}")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


async def test_items_of_a_hall_that_is_none_are_not_found(api: Api) -> None:
    assert (await items(api, hall="dg-99")).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"q": "x" * 61},
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"cursor": "x" * 65},
        {"theme": "x" * 33},
        {"page": 2},
    ],
)
async def test_an_impossible_search_is_refused(api: Api, query: dict[str, Any]) -> None:
    reply = await items(api, **query)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
