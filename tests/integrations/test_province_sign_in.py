"""Signing in with the province, whichever of the two shapes it has."""

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from integrations.ports import PlatformRefused, PlatformUnavailable, ProvinceSignIn, ProvinceVisitor
from tests.integrations.province_walks import (
    ID_NUMBER,
    NAME,
    PHONE,
    Walk,
    break_endpoint,
    calls_of,
    guangdong_door,
    oidc_door,
)
from tests.integrations.sandbox_running import RunningSandbox

DOORS: dict[str, Callable[..., ProvinceSignIn]] = {"oidc": oidc_door, "guangdong": guangdong_door}
TOKEN = {"oidc": "province.token", "guangdong": "province.guangdong_access_token"}
FACTS = {"oidc": "province.userinfo", "guangdong": "province.guangdong_tokeninfo"}


@pytest.fixture(params=["oidc", "guangdong"])
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def walk(shape: str, sandbox: RunningSandbox, http: httpx.AsyncClient) -> Walk:
    return Walk(sandbox, DOORS[shape](sandbox, http))


async def test_the_province_vouches_for_name_document_phone_and_level(
    walk: Walk, sandbox: RunningSandbox
) -> None:
    persona = await sandbox.persona(name=NAME, phone=PHONE)
    visitor = await walk.finish(await walk.code())
    assert visitor == ProvinceVisitor(
        platform="province",
        app_id=sandbox.settings.province_client_id,
        subject=persona["province_subject"],
        level=2,
        name=NAME,
        id_type="resident_id",
        id_number=ID_NUMBER,
        phone=PHONE,
    )


async def test_a_visitor_does_not_show_who_it_is(walk: Walk, sandbox: RunningSandbox) -> None:
    await sandbox.persona(name=NAME, phone=PHONE)
    shown = repr(await walk.finish(await walk.code()))
    assert not any(secret in shown for secret in (NAME, PHONE, ID_NUMBER))


async def test_the_same_person_is_the_same_subject_each_time(walk: Walk) -> None:
    first = await walk.finish(await walk.code())
    second = await walk.finish(await walk.code())
    assert first.subject == second.subject


@pytest.mark.parametrize("level", [1, 2, 3])
async def test_a_level_is_told_as_the_province_has_it(
    walk: Walk, sandbox: RunningSandbox, level: int
) -> None:
    await sandbox.persona(level=level)
    visitor = await walk.finish(await walk.code())
    assert (visitor.level, visitor.id_number) == (level, ID_NUMBER)


async def test_what_an_unproven_account_claims_is_left_out(
    walk: Walk, sandbox: RunningSandbox
) -> None:
    await sandbox.persona(name=NAME, phone=PHONE, level=0)
    visitor = await walk.finish(await walk.code())
    assert (visitor.level, visitor.name, visitor.id_type, visitor.id_number) == (
        0,
        None,
        None,
        None,
    )
    assert visitor.phone == PHONE


@pytest.mark.parametrize(("id_number", "id_type"), [("E12345678", "passport"), ("H12345678", None)])
async def test_a_number_comes_only_with_a_kind_of_document_we_know(
    walk: Walk, id_number: str, id_type: str | None
) -> None:
    visitor = await walk.finish((await walk.there(id_number=id_number))["code"])
    assert visitor.id_type == id_type
    assert visitor.id_number == (id_number if id_type else None)
    assert visitor.level == 2


async def test_the_way_back_carries_our_state_and_nothing_of_the_verifier(walk: Walk) -> None:
    back = await walk.there()
    assert back["state"] == walk.state
    assert walk.verifier not in await walk.url()
    assert back["redirect"].startswith("https://city.example/province/back?code=")


async def test_a_used_code_is_refused(walk: Walk) -> None:
    code = await walk.code()
    await walk.finish(code)
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(code)
    assert refused.value.reason in ("code_used", "code_invalid")


async def test_an_expired_code_is_refused(walk: Walk, sandbox: RunningSandbox) -> None:
    code = await walk.code()
    sandbox.clock.move(300)
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(code)
    assert refused.value.reason == "code_invalid"


@pytest.mark.parametrize("code", ["nonsense", "a&client_id=b", "a b+c%00", "../x"])
async def test_a_code_nobody_gave_is_refused(walk: Walk, code: str) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(code)
    assert refused.value.reason == "code_invalid"


@pytest.mark.parametrize("code", ["", "x" * 1025, "a\nb", "码", "\ud800", "a\x00"])
async def test_what_cannot_be_a_code_is_refused_without_asking(
    walk: Walk, sandbox: RunningSandbox, shape: str, code: str
) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(code)
    assert (refused.value.reason, refused.value.platform_code) == ("code_invalid", None)
    assert await calls_of(sandbox, TOKEN[shape]) == 0


@pytest.mark.parametrize(
    "other", [{"code_verifier": "w" * 43}, {"redirect": "https://city.example/elsewhere"}]
)
async def test_a_code_of_another_sign_in_is_refused_and_spent(
    walk: Walk, other: dict[str, str]
) -> None:
    code = await walk.code()
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(code, **other)
    assert refused.value.reason == "code_invalid"
    with pytest.raises(PlatformRefused):
        await walk.finish(code)


async def test_a_verifier_that_is_none_is_our_own_mistake(walk: Walk) -> None:
    with pytest.raises(ValueError, match="43 to 128"):
        await walk.finish("code", code_verifier="short")


async def test_a_locked_account_gets_no_code(walk: Walk, sandbox: RunningSandbox) -> None:
    await sandbox.persona(blocked=True)
    back = await walk.there()
    assert (back["error"], back["state"]) == ("access_denied", walk.state)


async def test_an_account_locked_meanwhile_is_refused(walk: Walk, sandbox: RunningSandbox) -> None:
    code = await walk.code()
    await sandbox.persona(blocked=True)
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(code)
    assert refused.value.reason == "user_blocked"


@pytest.mark.parametrize("wrong", [{"client_id": "somebody"}, {"secret": "wrong"}])
async def test_our_own_wrong_account_is_logged_as_our_fault(
    shape: str, sandbox: RunningSandbox, http: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    walk = Walk(sandbox, DOORS[shape](sandbox, http, **wrong))
    with capture_logs() as logs, pytest.raises(PlatformUnavailable) as unavailable:
        await walk.finish("any")
    assert unavailable.value.retry_after_s == 60
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("province_misconfigured", "error")
    ]


@pytest.mark.parametrize("kind", ["http_500", "rubbish"])
@pytest.mark.parametrize("step", [TOKEN, FACTS])
async def test_an_answer_we_cannot_use_is_unavailable_and_not_asked_again(
    walk: Walk, sandbox: RunningSandbox, shape: str, step: dict[str, str], kind: str
) -> None:
    code = await walk.code()
    await break_endpoint(sandbox, step[shape], kind)
    with pytest.raises(PlatformUnavailable):
        await walk.finish(code)
    assert await calls_of(sandbox, step[shape]) == 1


async def test_a_slow_province_is_waited_for(
    walk: Walk, sandbox: RunningSandbox, shape: str
) -> None:
    code = await walk.code()
    await break_endpoint(sandbox, TOKEN[shape], "delay", seconds=0.2)
    assert (await walk.finish(code)).level == 2


@pytest.mark.parametrize("step", [TOKEN, FACTS])
async def test_a_hanging_province_costs_no_more_than_the_budget(
    sandbox: RunningSandbox, http: httpx.AsyncClient, shape: str, step: dict[str, str]
) -> None:
    walk = Walk(sandbox, DOORS[shape](sandbox, http))
    code = await walk.code()
    hasty = Walk(sandbox, DOORS[shape](sandbox, http, budget_s=1.0), verifier=walk.verifier)
    hasty.nonce = walk.nonce
    await break_endpoint(sandbox, step[shape], "hang")
    began = time.monotonic()
    with pytest.raises(PlatformUnavailable):
        await hasty.finish(code)
    assert 0.8 < time.monotonic() - began < 6


async def test_a_province_that_is_not_there_is_unavailable(
    shape: str, sandbox: RunningSandbox
) -> None:
    async def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as nowhere:
        walk = Walk(sandbox, DOORS[shape](sandbox, nowhere))
        with capture_logs() as logs, pytest.raises(PlatformUnavailable):
            await walk.finish("any")
    assert [entry["why"] for entry in logs] == ["unreachable"]


@pytest.mark.parametrize(
    "trouble", [None, "used", "secret", "http_500", "rubbish", "hang", "verifier"]
)
async def test_neither_errors_nor_logs_tell_secrets_or_people(
    shape: str,
    sandbox: RunningSandbox,
    http: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    trouble: str | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = sandbox.settings.province_secret
    other: dict[str, Any] = {"budget_s": 1.0}
    if trouble == "secret":
        other["secret"] = secret = "do-not-tell-this-secret"
    persona = await sandbox.persona(name=NAME, phone=PHONE)
    walk = Walk(sandbox, DOORS[shape](sandbox, http, **other))
    code = await walk.code()
    if trouble in ("http_500", "rubbish", "hang"):
        await break_endpoint(sandbox, FACTS[shape], trouble)
    if trouble == "used":
        await walk.finish(code)
    told = [repr(walk.door)]
    with capture_logs() as logs:
        try:
            await walk.finish(
                code, **({"code_verifier": "w" * 43} if trouble == "verifier" else {})
            )
        except (PlatformRefused, PlatformUnavailable) as no:
            assert trouble is not None
            told += [repr(no), *traceback.format_exception(no)]
    text = "\n".join([*told, caplog.text, repr(logs)])
    hidden = [secret, code, walk.verifier, NAME, PHONE, ID_NUMBER, persona["province_subject"]]
    assert [one for one in hidden if one in text] == []
