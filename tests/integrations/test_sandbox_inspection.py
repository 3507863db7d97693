"""The sandbox's own endpoints: people, outages, what was sent and what was called."""

from asyncio import gather
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from integrations.sandbox import SandboxSettings
from integrations.sandbox.personas import Codes, Personas
from integrations.sandbox.sent import Message, Sent
from tests.integrations.sandbox_running import RunningSandbox, running


async def test_a_persona_is_as_asked_and_brings_codes(sandbox: RunningSandbox) -> None:
    asked: dict[str, Any] = {
        "name": "张三",
        "id_number": "99000119900307001X",
        "phone": "13800138000",
        "born": "1990-03-07",
        "topics": ["社保"],
    }
    persona = await sandbox.persona(**asked)
    assert asked.items() <= persona.items()
    assert {"wechat_code", "phone_code", "openid"} <= persona.keys()


async def test_an_id_number_is_enough(sandbox: RunningSandbox) -> None:
    persona = await sandbox.persona("99000119900307001X")
    assert persona["name"]
    assert len(persona["phone"]) == 11
    assert persona["born"] == "1990-03-07"
    again = await sandbox.persona("99000119900307001x")
    assert again["openid"] == persona["openid"]
    assert again["phone"] == persona["phone"]


async def test_a_person_may_change_name_and_phone_and_keeps_the_rest(
    sandbox: RunningSandbox,
) -> None:
    before = await sandbox.persona(name="张三", phone="13800138000", topics=["社保"])
    after = await sandbox.persona(name="张三丰", phone="13900139000")
    assert (after["name"], after["phone"]) == ("张三丰", "13900139000")
    assert (after["topics"], after["openid"]) == (["社保"], before["openid"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{}", "/id_number"),
        (b'{"id_number": 7}', "/id_number"),
        (b'{"id_number": ""}', "/id_number"),
        ('{"id_number": "身份证"}'.encode(), "/id_number"),
        (b'{"id_number": "A1234567", "phone": "call me"}', "/phone"),
        (b'{"id_number": "A1234567", "name": ""}', "/name"),
        (b'{"id_number": "A1234567", "name": "a\\nb"}', "/name"),
        (b'{"id_number": "A1234567", "born": "1990-02-30"}', "/born"),
        (b'{"id_number": "A1234567", "topics": ["x", 7]}', "/topics/1"),
        (b"[]", ""),
    ],
)
async def test_a_persona_that_cannot_be_is_refused_with_the_place(
    sandbox: RunningSandbox, body: bytes, pointer: str
) -> None:
    reply = await sandbox.http.post("/_sandbox/personas", content=body)
    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == "invalid_request"
    assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"\xff\xfe", b'{"id_number":"\xff"}', b'{"z":' + b"[" * 100_000]
)
async def test_a_body_that_is_no_json_is_refused(sandbox: RunningSandbox, body: bytes) -> None:
    reply = await sandbox.http.post("/_sandbox/personas", content=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "not_json")
    assert (await sandbox.http.put("/_sandbox/faults", content=body)).status_code == 400


async def test_what_does_not_exist_is_a_problem_and_not_a_page(sandbox: RunningSandbox) -> None:
    missing = await sandbox.http.get("/nowhere")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await sandbox.http.put("/_sandbox/personas", json={})
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    big = await sandbox.http.post("/_sandbox/personas", content=b"x" * 1_100_000)
    assert big.status_code == 413


async def test_people_are_listed_page_by_page(sandbox: RunningSandbox) -> None:
    for n in range(5):
        await sandbox.persona(f"A000000{n}")
    seen, cursor, pages = [], "0", 0
    while cursor is not None:
        reply = await sandbox.http.get(f"/_sandbox/personas?limit=2&cursor={cursor}")
        seen += [p["id_number"] for p in reply.json()["data"]]
        cursor, pages = reply.json()["next_cursor"], pages + 1
    assert seen == [f"A000000{n}" for n in range(5)]
    assert pages == 3


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "limit=-1", "cursor=x"])
async def test_a_page_that_cannot_be_is_refused(sandbox: RunningSandbox, query: str) -> None:
    assert (await sandbox.http.get(f"/_sandbox/personas?{query}")).status_code == 400


async def test_nothing_was_sent_yet(sandbox: RunningSandbox) -> None:
    reply = await sandbox.http.get("/_sandbox/sent?to=o123&limit=10")
    assert (reply.status_code, reply.json()) == (200, {"data": []})
    assert (await sandbox.http.get("/_sandbox/sent?limit=x")).status_code == 400


def test_messages_are_kept_in_order_and_found_by_recipient() -> None:
    sent = Sent(most=3)
    for n, to in enumerate(["a", "b", "a", "b"]):
        sent.accept(Message("wechat", "subscribe", to, "t", {"n": str(n)}, datetime.now(UTC)))
    assert [m.fields["n"] for m in sent.to(None, None)] == ["1", "2", "3"]
    assert [m.fields["n"] for m in sent.to("b", None)] == ["1", "3"]
    assert [m.fields["n"] for m in sent.to("b", 1)] == ["3"]


async def test_calls_are_counted_by_endpoint(sandbox: RunningSandbox) -> None:
    await gather(*(sandbox.token() for _ in range(3)))
    await sandbox.break_login("error", times=1)
    await sandbox.log_in("x")
    await sandbox.log_in("x")
    rows = (await sandbox.http.get("/_sandbox/calls")).json()["data"]
    assert [row for row in rows if row["endpoint"].startswith("wechat.")] == [
        {"endpoint": "wechat.jscode2session", "calls": 2, "faulted": 1},
        {"endpoint": "wechat.stable_token", "calls": 3, "faulted": 0},
        {"endpoint": "wechat.getuserphonenumber", "calls": 0, "faulted": 0},
        {"endpoint": "wechat.subscribe_send", "calls": 0, "faulted": 0},
    ]


async def test_a_fault_lasts_as_many_calls_as_asked(sandbox: RunningSandbox) -> None:
    await sandbox.break_login("error", errcode=45011, times=2)
    replies = [(await sandbox.log_in("x"))["errcode"] for _ in range(3)]
    assert replies == [45011, 45011, 40029]


async def test_a_fault_lasts_as_long_as_asked(sandbox: RunningSandbox) -> None:
    await sandbox.break_login("error", for_s=10)
    sandbox.clock.move(9.9)
    assert (await sandbox.log_in("x"))["errcode"] == -1
    sandbox.clock.move(0.1)
    assert (await sandbox.log_in("x"))["errcode"] == 40029


async def test_a_fault_lasts_until_taken_back(sandbox: RunningSandbox) -> None:
    await sandbox.break_login("http_500")
    assert (await sandbox.http.get("/sns/jscode2session")).status_code == 500
    listed = (await sandbox.http.get("/_sandbox/faults")).json()["data"]
    assert listed == [{"endpoint": "wechat.jscode2session", "kind": "http_500"}]
    path = "/_sandbox/faults?endpoint=wechat."
    assert (await sandbox.http.delete(path + "stable_token")).status_code == 204
    assert (await sandbox.http.get("/sns/jscode2session")).status_code == 500
    assert (await sandbox.http.delete(path + "jscode2session")).status_code == 204
    assert (await sandbox.http.get("/sns/jscode2session")).status_code == 200
    assert (await sandbox.http.delete("/_sandbox/faults")).status_code == 204


async def test_a_fault_that_cannot_be_is_refused(sandbox: RunningSandbox) -> None:
    good = {"endpoint": "wechat.jscode2session", "kind": "error"}
    for wrong in (
        {"endpoint": "wechat.nothing"},
        {"kind": "earthquake"},
        {"times": 0},
        {"for_s": -1},
        {"seconds": 1e9},
        {"sconds": 1},
    ):
        reply = await sandbox.http.put("/_sandbox/faults", json=good | wrong)
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_request")
    assert (await sandbox.http.delete("/_sandbox/faults?endpoint=nothing")).status_code == 400


async def test_an_error_code_that_is_no_number_does_not_break_wechat(
    sandbox: RunningSandbox,
) -> None:
    for errcode in ("ACQ.SYSTEM_ERROR", "²", "--5", "", "9" * 128, 10**40):
        await sandbox.break_login("error", errcode=errcode, times=1)
        assert isinstance((await sandbox.log_in("x"))["errcode"], int)


async def test_rubbish_is_no_json_and_delay_only_late(sandbox: RunningSandbox) -> None:
    await sandbox.break_login("rubbish", times=1)
    assert "html" in (await sandbox.http.get("/sns/jscode2session")).text
    await sandbox.break_login("delay", seconds=0.05, times=1)
    persona = await sandbox.persona()
    assert "openid" in await sandbox.log_in(persona["wechat_code"])


async def test_a_hanging_endpoint_hangs_and_hangs_nobody_else(sandbox: RunningSandbox) -> None:
    await sandbox.break_login("hang", times=1)
    with pytest.raises(httpx.ReadTimeout):
        await sandbox.http.get("/sns/jscode2session", timeout=0.1)
    assert (await sandbox.log_in("x"))["errcode"] == 40029


async def test_the_front_page_says_what_this_is(sandbox: RunningSandbox) -> None:
    page = (await sandbox.http.get("/")).json()
    assert "demonstrations" in page["what"]
    assert "/sns/jscode2session" in [door["path"] for door in page["platforms"]]
    assert (await sandbox.http.get("/healthz")).status_code == 200


async def test_two_sandboxes_share_nothing(sandbox: RunningSandbox) -> None:
    persona = await sandbox.persona()
    async with running() as other:
        assert (await other.log_in(persona["wechat_code"]))["errcode"] == 40029
        assert (await other.http.get("/_sandbox/personas")).json()["data"] == []


def test_dead_codes_are_forgotten_and_their_number_is_bounded() -> None:
    someone = Personas(10).meet("A1234567")
    codes = Codes(life_s=300, most=1000)
    first = codes.issue(someone, now=0)
    for _ in range(5000):
        codes.issue(someone, now=1)
    assert len(codes) == 1000
    assert codes.find(first, now=1) is None
    for _ in range(100):
        codes.issue(someone, now=400)
    assert len(codes) == 100


def test_the_number_of_people_is_bounded() -> None:
    personas = Personas(most=3)
    for n in range(5):
        personas.meet(f"A000000{n}")
    assert [p.id_number for p in personas.after(0, 10)] == ["A0000002", "A0000003", "A0000004"]


def test_settings_do_not_show_secrets() -> None:
    settings = SandboxSettings()
    assert settings.wechat_secret not in repr(settings)
