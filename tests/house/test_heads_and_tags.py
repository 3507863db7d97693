"""HEAD is GET without the body, and who has an answer already is told so."""

import pytest

from server.http.endpoint import DECLARED
from tests.conftest import Api

BOARD = "/api/v1/halls/dg-01/board"


async def etag_of(api: Api, path: str = BOARD) -> str:
    tag: str = (await api.http.get(path)).headers["etag"]
    return tag


async def asked(api: Api, *said: str, path: str = BOARD, method: str = "GET") -> int:
    headers = [("If-None-Match", one) for one in said]
    return (await api.http.request(method, path, headers=headers)).status_code


@pytest.mark.parametrize(
    "path",
    [
        BOARD,
        "/",
        "/docs",
        "/docs/openapi.json",
        "/docs/problems",
        "/assets/yiting.css",
        "/board/dg-01",
        "/about.json",
        "/healthz",
        "/api/v1/halls?limit=2",
        "/api/v1/halls/dg-01/hours?from=2026-10-01",
        "/api/v1/items/social-card-renewal",
        "/api/v1/me",
        "/api/v1/halls/dg-99",
        "/nowhere",
    ],
)
async def test_head_answers_like_get_without_the_body(api: Api, path: str) -> None:
    get, head = await api.http.get(path), await api.http.head(path)
    assert head.status_code == get.status_code
    assert head.content == b""
    same = {"content-type", "content-length"}
    for name in same:
        assert head.headers.get(name) == get.headers.get(name), name
    assert head.headers.get("etag") is None or "etag" in get.headers
    assert (await api.http.get("/healthz")).status_code == 200  # the connection is still in step


async def test_every_route_that_may_be_got_may_be_asked_for_its_head(api: Api) -> None:
    heads = {"/" + route.path for route in api.app.router.routes if "HEAD" in route.methods}
    gets = {"/" + route.path for route in api.app.router.routes if "GET" in route.methods}
    assert gets - heads == {"/api/v1/live"}  # the socket
    assert len(gets) > sum(declared.method == "GET" for declared in DECLARED)


async def test_the_tag_that_was_given_is_known(api: Api) -> None:
    assert await asked(api, await etag_of(api)) == 304
    assert await asked(api, await etag_of(api), method="HEAD") == 304


async def test_a_tag_is_known_weak_or_strong(api: Api) -> None:
    tag = await etag_of(api)
    assert tag.startswith("W/")
    assert await asked(api, tag.removeprefix("W/")) == 304
    strong = await etag_of(api, "/assets/yiting.css")
    assert await asked(api, f"W/{strong}", path="/assets/yiting.css") == 304


async def test_a_tag_is_known_among_others(api: Api) -> None:
    tag = await etag_of(api)
    for said in (f'"x", {tag}', f'{tag},"y"', f'"a,b" ,, {tag} , W/"z",', f'"",{tag}'):
        assert await asked(api, said) == 304, said
    assert await asked(api, '"x"', tag) == 304  # two lines are one list


async def test_a_star_is_whatever_there_is(api: Api) -> None:
    assert await asked(api, "*") == 304
    assert await asked(api, "*", path="/assets/yiting.css") == 304


async def test_other_tags_and_what_are_none_get_the_whole_answer(api: Api) -> None:
    bare = (await etag_of(api)).removeprefix("W/").strip('"')
    for said in ('"x"', bare, f'"{bare}', f'w/"{bare}"', f'W/ "{bare}"', f'*, "{bare}"', "", ","):
        assert await asked(api, said) == 200, said


async def test_a_page_that_says_there_is_none_is_never_known(api: Api) -> None:
    assert await asked(api, "*", path="/board/dg-99") == 404
