"""Whatever goes wrong is an RFC 9457 problem document, in the language asked for."""

import json
from typing import Any

import httpx
import pytest

from server.errors import Refusal, wants_english
from tests.conftest import Api
from tests.people import Person

MEMBERS = {"type", "title", "status", "detail", "code", "instance"}


def assert_problem(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = reply.json()
    assert problem.keys() - {"errors", "ticket_id"} == MEMBERS
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"/docs/problems#{code}"
    assert reply.headers["x-request-id"]
    return problem


async def test_an_unknown_address_is_not_found(api: Api) -> None:
    for path in ("/nowhere", "/api/v1/nowhere", "/api/v2/halls", "/api"):
        reply = await api.http.get(path)
        assert assert_problem(reply, 404, "not_found")["instance"] == path


async def test_another_method_says_which_are_allowed(api: Api) -> None:
    reply = await api.http.put("/api/v1/halls")
    assert_problem(reply, 405, "method_not_allowed")
    assert "GET" in reply.headers["allow"]
    post_only = await api.http.get("/api/v1/sessions/wechat")
    assert_problem(post_only, 405, "method_not_allowed")
    assert post_only.headers["allow"] == "POST"
    both = await api.http.delete("/api/v1/tickets")
    assert set(both.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD", "POST"}


async def test_the_instance_is_the_path_and_never_the_query(api: Api) -> None:
    for path in ("/nowhere", "/api/v1/halls", "/api/v1/me"):
        reply = await api.http.get(f"{path}?phone=13812345678&x={'y' * 10}&rank=secret")
        assert reply.status_code >= 400
        assert reply.json()["instance"] == path
        assert "13812345678" not in reply.text


@pytest.mark.parametrize("size", [65_537, 100_000, 10_000_000])
async def test_a_body_too_large_is_refused(api: Api, size: int) -> None:
    reply = await api.http.post("/api/v1/sessions/wechat", content=b"x" * size)
    assert_problem(reply, 413, "body_too_large")
    assert (await api.http.get("/healthz")).status_code == 200


async def test_a_body_that_grows_too_large_is_refused(api: Api) -> None:
    async def endless() -> Any:
        for _ in range(200):
            yield b"x" * 1000

    reply = await api.http.post("/api/v1/sessions/wechat", content=endless())
    assert_problem(reply, 413, "body_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"{",
        b'{"code": }',
        b"\xff\xfe",
        b'{"code": "\xff"}',
        b'{"code": "\xed\xa0\x80"}',
        b'{"code": "\\ud800"}',
        b'{"code": "a\x00b"}',
        b'{"code": NaN}',
        b'\xef\xbb\xbf{"code": "x", "y": 1}',
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_what_is_no_proper_json_is_refused(api: Api, body: bytes) -> None:
    reply = await api.http.post("/api/v1/sessions/wechat", content=body)
    problem = assert_problem(reply, 400, "malformed_request")
    assert "errors" not in problem
    assert "标出" not in problem["title"] + problem["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"code": "a\\u0000b"}', "/code"),
        (b'{"code": "a\\\\\\u0000b"}', "/code"),
        (b'{"a\\u0000b": 1}', ""),
        (b'{"x": [1, {"y/z": "\\u0000"}]}', "/x/1/y~1z"),
        (b'{"code": 1e999}', "/code"),
        (b'{"code": ' + b"9" * 50_000 + b"}", "/code"),
        (b"null", ""),
        (b'"text"', ""),
        (b"[]", ""),
        (b"[" * 60_000, ""),
        (b'{"code":' * 8_000, "/code"),
        (b"{} {}", "/code"),
    ],
    ids=lambda value: repr(value[:24]),
)
async def test_json_that_is_not_as_documented_is_pointed_into(
    api: Api, body: bytes, pointer: str
) -> None:
    reply = await api.http.post("/api/v1/sessions/wechat", content=body)
    [error] = assert_problem(reply, 422, "invalid_request")["errors"]
    assert error["pointer"] == pointer
    assert not error["detail"].isascii()


async def test_a_backslash_before_the_text_u0000_is_no_nul(api: Api) -> None:
    reply = await api.http.post("/api/v1/sessions/wechat", content=b'{"code": "a\\\\u0000b"}')
    assert_problem(reply, 401, "sign_in_refused")


async def test_a_hundred_thousand_brackets_are_too_large(api: Api) -> None:
    reply = await api.http.post("/api/v1/sessions/wechat", content=b"[" * 100_000)
    assert_problem(reply, 413, "body_too_large")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "x", "json"]
)
async def test_a_body_that_is_not_sent_as_json_is_refused_and_says_how(api: Api, kind: str) -> None:
    reply = await api.http.post(
        "/api/v1/sessions/wechat", content=b'{"code": "x"}', headers={"Content-Type": kind}
    )
    problem = assert_problem(reply, 415, "unsupported_media_type")
    assert "application/json" in problem["detail"]
    assert reply.headers["accept"] == "application/json"


async def test_a_form_is_no_json(api: Api) -> None:
    form = await api.http.post("/api/v1/sessions/wechat", files={"code": b"x"}, data={"code": "x"})
    assert_problem(form, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind",
    [None, "", "application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"],
)
async def test_a_body_without_a_content_type_is_read_as_json(api: Api, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind is not None else {}
    reply = await api.http.post(
        "/api/v1/sessions/wechat", content=b'{"code": "x"}', headers=headers
    )
    assert_problem(reply, 401, "sign_in_refused")


async def test_no_body_needs_no_content_type(api: Api) -> None:
    headers = {"Content-Type": "text/plain"}
    reply = await api.http.post("/api/v1/sessions/wechat", content=b"", headers=headers)
    [error] = assert_problem(reply, 422, "invalid_request")["errors"]
    assert error == {"pointer": "/code", "detail": "缺少该字段。"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"hall": 7, "item": "x"}, "/hall"),
        ({"hall": "dg-01", "item": "x", "place": {"lat": "north", "lng": 1}}, "/place/lat"),
        ({"hall": "dg-01", "item": "x", "place": {"lat": 91, "lng": 1}}, "/place/lat"),
        ({"hall": "dg-01"}, "/item"),
        ({"hall": "dg-01", "item": "x", "extra": 1}, "/extra"),
    ],
)
async def test_a_wrong_field_is_pointed_at(api: Api, body: Any, pointer: str) -> None:
    lin = await api.citizen()
    problem = assert_problem(await lin.post("/tickets", body), 422, "invalid_request")
    [error] = problem["errors"]
    assert error["pointer"] == pointer
    assert not error["detail"].isascii()
    english = await lin.http.post(
        "/api/v1/tickets", json=body, headers=lin.headers | {"Accept-Language": "en"}
    )
    assert english.json()["errors"][0]["pointer"] == pointer
    assert english.json()["errors"][0]["detail"].isascii()


@pytest.mark.parametrize(
    ("asked", "english"),
    [
        (None, False),
        ("", False),
        ("zh-CN", False),
        ("en", True),
        ("en-GB,en;q=0.9", True),
        ("EN-us", True),
        ("zh-CN,zh;q=0.9,en;q=0.8", False),
        ("en,zh", True),
        ("fr,en;q=0.5", True),
        ("de", False),
        (";;;,,,q=", False),
        ("*", False),
        ("en;q=0.8, zh;q=0.9", False),
        ("zh;q=0.8, en;q=0.9", True),
        ("en;q=0.5, zh-TW;q=0.5", True),
        ("zh-Hant;q=0.5, en;q=0.5", False),
        ("en;q=0.5, *;q=0.8", False),
        ("en, *;q=0.1", True),
        ("zh;q=0, *", True),
        ("zh;q=0, en;q=0.001", True),
        ("en;q=0", False),
        ("en;q=nonsense", False),
        ("en;q=2", False),
        ("fr;q=1, en;q=0.3", True),
        ("enm", False),
    ],
)
async def test_the_language_is_chinese_unless_english_is_asked_for(
    api: Api, asked: str | None, english: bool
) -> None:
    assert wants_english(asked) is english
    headers = {"Accept-Language": asked} if asked is not None else {}
    reply = await api.http.get("/api/v1/halls/dg-99", headers=headers)
    expected = "There is no such hall." if english else "没有这个大厅。"
    assert assert_problem(reply, 404, "not_found")["detail"] == expected
    assert reply.headers["content-language"] == ("en" if english else "zh-CN")
    assert reply.headers["vary"] == "Accept-Language"


async def test_no_request_without_a_token_gets_behind_the_door(api: Api) -> None:
    for method, path in (
        ("GET", "/me"),
        ("GET", "/tickets"),
        ("POST", "/tickets"),
        ("DELETE", "/sessions/current"),
        ("POST", "/halls/dg-01/counters/01/call-next"),
    ):
        reply = await api.http.request(method, f"/api/v1{path}")
        assert_problem(reply, 401, "not_signed_in")
        assert reply.headers["www-authenticate"] == "Bearer"


async def test_every_code_is_explained_on_one_page(api: Api) -> None:
    reply = await api.http.get("/docs/problems")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert len(Refusal.known) > 15
    for code, refusal in Refusal.known.items():
        assert f"<tr id='{code}'>" in reply.text
        assert refusal.sentence[0] in reply.text


def test_every_refusal_is_worded_in_both_languages() -> None:
    for code, refusal in Refusal.known.items():
        chinese, english = refusal.sentence
        assert 400 <= refusal.status < 600, code
        assert not chinese.isascii(), code
        assert english.isascii(), code
        assert refusal.__doc__, code


def test_no_two_refusals_share_a_code() -> None:
    def all_below(kind: type[Refusal]) -> list[type[Refusal]]:
        return [found for sub in kind.__subclasses__() for found in (sub, *all_below(sub))]

    codes = [kind.code for kind in all_below(Refusal)]
    assert sorted(codes) == sorted(set(codes))


async def test_answers_name_their_request(api: Api, lin: Person) -> None:
    replies = [await lin.get("/me"), await api.http.get("/nowhere"), await api.http.get("/healthz")]
    ids = [reply.headers["x-request-id"] for reply in replies]
    assert len(set(ids)) == 3
    assert json.loads(replies[0].content)


@pytest.mark.parametrize("path", ["/halls/dg-01", "/halls/dg-01/board", "/healthz"])
async def test_a_query_where_there_is_none_is_refused_by_the_api(api: Api, path: str) -> None:
    under = "" if path == "/healthz" else "/api/v1"
    reply = await api.http.get(f"{under}{path}?x=1")
    assert reply.status_code == (422 if under else 200)
    if under:
        assert reply.json()["errors"][0]["pointer"] == "/x"
