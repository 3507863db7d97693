"""Asking whose name belongs to an id number."""

import logging
import time
import traceback

import httpx
import pytest
from structlog.testing import capture_logs

from integrations.identity import RealNameService
from integrations.ports import IdType, PlatformRefused, PlatformUnavailable, RealNameCheck
from tests.integrations.province_walks import break_endpoint, calls_of
from tests.integrations.sandbox_running import RunningSandbox

ENDPOINT = "identity.real_name"
NAME, ID_NUMBER = "张三丰", "99000119900307001X"


@pytest.fixture
def check(sandbox: RunningSandbox, http: httpx.AsyncClient) -> RealNameCheck:
    return a_check(sandbox, http)


def a_check(
    sandbox: RunningSandbox,
    http: httpx.AsyncClient,
    *,
    app_key: str | None = None,
    secret: str | None = None,
    budget_s: float = 5.0,
) -> RealNameCheck:
    account = sandbox.settings
    return RealNameService(
        http,
        sandbox.url,
        app_key or account.identity_app_key,
        secret or account.identity_secret,
        budget_s=budget_s,
    )


async def test_name_and_number_of_one_person_match(
    sandbox: RunningSandbox, check: RealNameCheck
) -> None:
    await sandbox.persona(name=NAME)
    assert await check.matches(NAME, "resident_id", ID_NUMBER)


async def test_another_name_or_an_unknown_number_does_not_match(
    sandbox: RunningSandbox, check: RealNameCheck
) -> None:
    await sandbox.persona(name=NAME)
    assert not await check.matches("李四", "resident_id", ID_NUMBER)
    assert not await check.matches(NAME, "resident_id", "990001194912318884")


async def test_a_name_with_any_letters_is_signed_as_it_is_sent(
    sandbox: RunningSandbox, check: RealNameCheck
) -> None:
    await sandbox.persona("E12345678", name='买买提·"\\艾力𠮷')
    assert await check.matches('买买提·"\\艾力𠮷', "passport", "E12345678")


@pytest.mark.parametrize(
    ("id_type", "id_number"),
    [
        ("resident_id", "990001"),
        ("resident_id", "E12345678"),
        ("hm_travel_permit", "12345678"),
        ("passport", ""),
    ],
)
async def test_a_number_of_no_such_document_is_refused(
    check: RealNameCheck, id_type: IdType, id_number: str
) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await check.matches(NAME, id_type, id_number)
    assert (refused.value.reason, refused.value.platform_code) == ("id_invalid", "ID_INVALID")


async def test_one_number_is_not_asked_about_without_end(
    sandbox: RunningSandbox, check: RealNameCheck
) -> None:
    for _ in range(sandbox.settings.identity_a_minute):
        await check.matches(NAME, "resident_id", ID_NUMBER)
    with pytest.raises(PlatformRefused) as refused:
        await check.matches(NAME, "resident_id", ID_NUMBER)
    assert refused.value.reason == "too_often"
    sandbox.clock.move(60)
    await check.matches(NAME, "resident_id", ID_NUMBER)


@pytest.mark.parametrize("wrong", [{"app_key": "somebody"}, {"secret": "wrong"}])
async def test_our_own_wrong_account_is_logged_as_our_fault(
    sandbox: RunningSandbox, http: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    with capture_logs() as logs, pytest.raises(PlatformUnavailable) as unavailable:
        await a_check(sandbox, http, **wrong).matches(NAME, "resident_id", ID_NUMBER)  # type: ignore[arg-type]
    assert unavailable.value.retry_after_s == 60
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("identity_misconfigured", "error")
    ]


@pytest.mark.parametrize(
    ("errcode", "retry_after_s"),
    [
        ("BUSY", 1),
        ("NONCE_USED", 5),
        ("SOMETHING_NEW", 5),
        ("TIMESTAMP_EXPIRED", 60),
        ("QUOTA_EXHAUSTED", 60),
    ],
)
async def test_what_is_not_the_citizens_affair_is_unavailable(
    sandbox: RunningSandbox, check: RealNameCheck, errcode: str, retry_after_s: int
) -> None:
    await break_endpoint(sandbox, ENDPOINT, "error", errcode=errcode)
    with pytest.raises(PlatformUnavailable) as unavailable:
        await check.matches(NAME, "resident_id", ID_NUMBER)
    assert unavailable.value.retry_after_s == retry_after_s


@pytest.mark.parametrize("kind", ["http_500", "rubbish"])
async def test_an_answer_we_cannot_use_is_unavailable(
    sandbox: RunningSandbox, check: RealNameCheck, kind: str
) -> None:
    await break_endpoint(sandbox, ENDPOINT, kind)
    with pytest.raises(PlatformUnavailable):
        await check.matches(NAME, "resident_id", ID_NUMBER)
    assert await calls_of(sandbox, ENDPOINT) == 1


async def test_a_hanging_service_costs_no_more_than_the_budget(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    await break_endpoint(sandbox, ENDPOINT, "hang")
    began = time.monotonic()
    with pytest.raises(PlatformUnavailable):
        await a_check(sandbox, http, budget_s=0.4).matches(NAME, "resident_id", ID_NUMBER)
    assert 0.3 < time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "errcode", [None, "ID_INVALID", "SIGNATURE_WRONG", "张三丰 has no such id"]
)
async def test_neither_errors_nor_logs_tell_who_was_asked_about(
    sandbox: RunningSandbox,
    http: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    errcode: str | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    if errcode is not None:
        await break_endpoint(sandbox, ENDPOINT, "error", errcode=errcode)
    check = a_check(sandbox, http)
    told = [repr(check)]
    with capture_logs() as logs:
        try:
            await check.matches(NAME, "resident_id", ID_NUMBER)
        except (PlatformRefused, PlatformUnavailable) as no:
            told += [repr(no), *traceback.format_exception(no)]
    text = "\n".join([*told, caplog.text, repr(logs)])
    assert NAME not in text
    assert ID_NUMBER not in text
    assert sandbox.settings.identity_secret not in text
