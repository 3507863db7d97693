"""The province in Guangdong's shape: account sheets, error numbers, ready-made codes."""

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from integrations.ports import PlatformRefused, PlatformUnavailable, ProvinceVisitor
from integrations.province import GuangdongAccounts, GuangdongSignIn
from tests.integrations.province_walks import (
    ID_NUMBER,
    REDIRECT,
    Walk,
    break_endpoint,
    calls_of,
    guangdong_door,
)
from tests.integrations.sandbox_running import RunningSandbox

SHEET = {
    "uid": "zhang",
    "useridcode": "38c97fa1ee2e43d4a664cffc4554cde4",
    "usertype": "1",
    "cn": "张三",
    "idcardtype": "10",
    "idcardnumber": ID_NUMBER,
    "telephonenumber": "13800138000",
    "isreal": "true",
    "creditable_level_of_account": "L2",
}


@pytest.fixture
def walk(sandbox: RunningSandbox, http: httpx.AsyncClient) -> Walk:
    return Walk(sandbox, guangdong_door(sandbox, http))


async def test_a_ready_made_code_signs_in_once(walk: Walk, sandbox: RunningSandbox) -> None:
    persona = await sandbox.persona()
    visitor = await walk.finish(persona["province_code"])
    assert (visitor.subject, visitor.level) == (persona["province_subject"], 2)
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(persona["province_code"])
    assert (refused.value.reason, refused.value.platform_code) == ("code_used", "20002")


async def test_a_ready_made_code_dies_like_any_other(walk: Walk, sandbox: RunningSandbox) -> None:
    code = (await sandbox.persona())["province_code"]
    sandbox.clock.move(300)
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(code)
    assert (refused.value.reason, refused.value.platform_code) == ("code_invalid", "20001")


async def test_secrets_may_travel_in_a_body_instead(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    walk = Walk(sandbox, guangdong_door(sandbox, http, method="POST"))
    assert (await walk.finish(await walk.code())).id_number == ID_NUMBER
    with pytest.raises(PlatformRefused):
        await walk.finish("nonsense")


async def test_nobody_is_asked_to_begin(walk: Walk, sandbox: RunningSandbox) -> None:
    url = httpx.URL(await walk.url())
    assert url.path == "/tif/sso/connect/page/oauth2/authorize"
    assert (url.params["service"], url.params["scope"]) == ("initService", "all")
    rows = (await sandbox.http.get("/_sandbox/calls")).json()["data"]
    assert sum(row["calls"] for row in rows) == 0


async def test_httpx_logs_where_it_went_and_not_with_what(
    walk: Walk, caplog: pytest.LogCaptureFixture, sandbox: RunningSandbox
) -> None:
    caplog.set_level(logging.INFO, logger="httpx")
    await walk.finish(await walk.code())
    assert f"GET {sandbox.url}/tif/sso/connect/page/oauth2/access_token " in caplog.text
    assert "client_secret" not in caplog.text


@pytest.mark.parametrize(("errcode", "retry_after_s"), [("-1", 1), ("55555", 5), ("10001", 60)])
async def test_numbers_that_are_not_the_citizens_are_unavailable(
    walk: Walk, sandbox: RunningSandbox, errcode: str, retry_after_s: int
) -> None:
    await break_endpoint(sandbox, "province.guangdong_access_token", "error", errcode=errcode)
    with pytest.raises(PlatformUnavailable) as unavailable:
        await walk.finish("any")
    assert unavailable.value.retry_after_s == retry_after_s
    assert await calls_of(sandbox, "province.guangdong_access_token") == 1


async def test_a_token_that_died_meanwhile_is_unavailable(
    walk: Walk, sandbox: RunningSandbox
) -> None:
    await break_endpoint(sandbox, "province.guangdong_tokeninfo", "error", errcode="30001")
    with pytest.raises(PlatformUnavailable):
        await walk.finish(await walk.code())


# --- accounts the sandbox does not play ---


def answering(account: object, token: object = None) -> Callable[[httpx.Request], httpx.Response]:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/access_token"):
            return httpx.Response(200, json={"access_token": "at"} if token is None else token)
        return httpx.Response(200, json=account)

    return serve


async def visit(
    serve: Callable[[httpx.Request], httpx.Response], accounts: GuangdongAccounts | None = None
) -> ProvinceVisitor:
    async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as http:
        door = GuangdongSignIn(http, "https://p.example", "city", "s", accounts=accounts)
        return await door.finish("c", "v" * 43, "n", REDIRECT)


async def visit_as(**other: object) -> ProvinceVisitor:
    return await visit(answering({"userobj": SHEET | other}))


async def test_a_company_is_no_citizen() -> None:
    with pytest.raises(PlatformRefused) as refused:
        await visit_as(usertype="2")
    assert refused.value.reason == "not_a_person"


@pytest.mark.parametrize(
    ("other", "missing"),
    [
        ({"telephonenumber": "13*******21"}, "phone"),
        ({"telephonenumber": "-1"}, "phone"),
        ({"telephonenumber": 13800138000}, "phone"),
        ({"cn": "张**"}, "name"),
        ({"cn": ""}, "name"),
        ({"idcardnumber": "990***********001X"}, "id_number"),
        ({"idcardtype": "40"}, "id_number"),
        ({"idcardtype": None}, "id_number"),
    ],
)
async def test_what_is_masked_or_missing_is_not_known(
    other: dict[str, object], missing: str
) -> None:
    visitor = await visit_as(**other)
    assert getattr(visitor, missing) is None
    assert (visitor.id_type is None) == (visitor.id_number is None)


@pytest.mark.parametrize(
    "other",
    [
        {"isreal": "false"},
        {"is_real": "false"},
        {"creditable_level_of_account": "L9"},
        {"creditable_level_of_account": None},
        {"creditable_level_of_account": 3},
    ],
)
async def test_a_level_in_doubt_is_none(other: dict[str, object]) -> None:
    visitor = await visit_as(**other)
    assert (visitor.level, visitor.name, visitor.id_number) == (0, None, None)


@pytest.mark.parametrize(
    "account",
    [
        {},
        [],
        {"userobj": None},
        {"userobj": []},
        {"userobj": {}},
        {"userobj": SHEET | {"useridcode": "-1"}},
        {"userobj": SHEET | {"useridcode": "u" * 200}},
        {"errcode": 40001},
        {"errcode": "x" * 500},
    ],
)
async def test_a_sheet_that_names_nobody_is_unavailable(account: Any) -> None:
    with pytest.raises(PlatformUnavailable):
        await visit(answering(account))


@pytest.mark.parametrize("token", [{}, {"access_token": ""}, {"access_token": 7}, [], "x"])
async def test_an_answer_without_a_token_is_unavailable(token: Any) -> None:
    with pytest.raises(PlatformUnavailable):
        await visit(answering({"userobj": SHEET}, token))


async def test_another_province_is_another_sheet() -> None:
    sheet = GuangdongAccounts(
        account="data",
        subject="uuid",
        kind="type",
        person="person",
        level="authlevel",
        levels={"3": 3},
        name="username",
        id_type="idtype",
        id_types={"1": "resident_id"},
        id_number="idnum",
        phone="mobile",
        errors={"E7": "user_blocked"},
    )
    account = {
        "uuid": "z1",
        "type": "person",
        "authlevel": "3",
        "username": "张三",
        "idtype": "1",
        "idnum": ID_NUMBER,
        "mobile": "13800138000",
    }
    visitor = await visit(answering({"data": account}), sheet)
    assert visitor == ProvinceVisitor(
        "province",
        "city",
        "z1",
        level=3,
        name="张三",
        id_type="resident_id",
        id_number=ID_NUMBER,
        phone="13800138000",
    )
    with pytest.raises(PlatformRefused) as refused:
        await visit(answering({}, {"errcode": "E7"}), sheet)
    assert refused.value.reason == "user_blocked"


@pytest.mark.parametrize("tamper", ["nonce", "alg_none", "subject"])
async def test_nothing_is_spoilt_where_there_is_no_id_token(walk: Walk, tamper: str) -> None:
    body = {"id_number": ID_NUMBER, "authorize_url": await walk.url(), "tamper": tamper}
    reply = await walk.sandbox.http.post("/_sandbox/province/authorize", json=body)
    assert (reply.status_code, "/tamper" in reply.text) == (400, True)
