"""Phone numbers by WeChat's code, asked over real sockets, with faults."""

import logging
import time
import traceback
from asyncio import gather
from typing import Any

import httpx
import msgspec
import pytest
import redis.asyncio as aioredis
from structlog.testing import capture_logs

from integrations.ports import PhoneReader, PlatformRefused, PlatformUnavailable
from integrations.wechat import AccessToken, WeChatClient, WeChatPhone
from models.identifiers import is_mobile, read_mobile
from tests.integrations.raw_server import a_server_that_answers, ok
from tests.integrations.sandbox_running import RunningSandbox
from tests.integrations.wechat_running import a_phone

TOKEN, PHONE = "wechat.stable_token", "wechat.getuserphonenumber"
APP_ID, SECRET, CODE = "wx-tests", "do-not-tell-secret", "do-not-tell-code"


@pytest.fixture
def phones(sandbox: RunningSandbox, http: httpx.AsyncClient, token: AccessToken) -> PhoneReader:
    return a_phone(sandbox, http, token)


async def a_code(sandbox: RunningSandbox, phone: str = "13800138000") -> str:
    code: str = (await sandbox.persona(phone=phone))["phone_code"]
    return code


# --- numbers ---


@pytest.mark.parametrize(
    ("phone", "told"),
    [
        ("13800138000", "13800138000"),
        ("+8613800138000", "13800138000"),
        ("+852 91234567", "+85291234567"),
        ("+853-61234567", "+85361234567"),
        ("+886 912345678", "+886912345678"),
    ],
)
async def test_a_code_tells_the_number_with_its_country_unless_that_is_china(
    sandbox: RunningSandbox, phones: PhoneReader, phone: str, told: str
) -> None:
    assert await phones.phone_of(await a_code(sandbox, phone)) == told


async def test_no_foreign_number_passes_for_a_mainland_one(
    sandbox: RunningSandbox, phones: PhoneReader
) -> None:
    told = await phones.phone_of(await a_code(sandbox, "+1 3812345678"))
    assert told == "+13812345678"
    assert not is_mobile(told)
    with pytest.raises(ValueError):
        read_mobile(told)


# --- codes ---


async def test_a_code_works_once(sandbox: RunningSandbox, phones: PhoneReader) -> None:
    code = await a_code(sandbox)
    found = await gather(*(phones.phone_of(code) for _ in range(20)), return_exceptions=True)
    assert found.count("13800138000") == 1
    refused = [one for one in found if isinstance(one, PlatformRefused)]
    assert {(one.reason, one.platform_code) for one in refused} == {("code_invalid", "40029")}
    assert len(refused) == 19


async def test_an_old_code_or_one_for_signing_in_is_refused(
    sandbox: RunningSandbox, phones: PhoneReader
) -> None:
    persona = await sandbox.persona()
    with pytest.raises(PlatformRefused, match="code_invalid"):
        await phones.phone_of(persona["wechat_code"])
    sandbox.clock.move(300)
    with pytest.raises(PlatformRefused, match="code_invalid"):
        await phones.phone_of(persona["phone_code"])


@pytest.mark.parametrize("proof", ["", "x" * 513, "号码", "a\nb", "\x00"])
async def test_what_cannot_be_a_code_is_asked_of_nobody(
    sandbox: RunningSandbox, phones: PhoneReader, proof: str
) -> None:
    with pytest.raises(PlatformRefused, match="code_invalid"):
        await phones.phone_of(proof)
    assert (await sandbox.calls(TOKEN), await sandbox.calls(PHONE)) == (0, 0)


@pytest.mark.parametrize(
    ("errcode", "reason"),
    [
        (40013, "code_invalid"),
        (40029, "code_invalid"),
        (40163, "code_used"),
        (40226, "user_blocked"),
        (45011, "too_often"),
    ],
)
async def test_what_is_the_callers_doing_is_refused(
    sandbox: RunningSandbox, phones: PhoneReader, errcode: int, reason: str
) -> None:
    await sandbox.break_down(PHONE, "error", errcode=errcode)
    with pytest.raises(PlatformRefused) as no:
        await phones.phone_of("any")
    assert (no.value.reason, no.value.platform_code) == (reason, str(errcode))
    assert await sandbox.calls(PHONE) == 1


# --- tokens ---


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
async def test_when_the_token_is_refused_it_is_replaced_and_the_code_still_works(
    sandbox: RunningSandbox, phones: PhoneReader, errcode: int
) -> None:
    await sandbox.break_down(PHONE, "error", errcode=errcode, times=1)
    assert await phones.phone_of(await a_code(sandbox)) == "13800138000"
    # The first, the one WeChat gave again as current, the forced one.
    assert (await sandbox.calls(PHONE), await sandbox.calls(TOKEN)) == (2, 3)


@pytest.mark.parametrize(("ending", "calls"), [("expired", 2), ("void", 2), ("refused", 3)])
async def test_however_a_token_ends_the_next_caller_gets_through(
    sandbox: RunningSandbox, phones: PhoneReader, ending: str, calls: int
) -> None:
    await phones.phone_of(await a_code(sandbox))
    await sandbox.end_token(ending)
    assert await phones.phone_of(await a_code(sandbox)) == "13800138000"
    assert await sandbox.calls(TOKEN) == calls


async def test_a_token_whose_end_we_slept_through_is_replaced(
    sandbox: RunningSandbox, phones: PhoneReader
) -> None:
    await phones.phone_of(await a_code(sandbox))
    sandbox.clock.move(7200)
    assert await phones.phone_of(await a_code(sandbox)) == "13800138000"
    assert (await sandbox.calls(PHONE), await sandbox.calls(TOKEN)) == (2, 2)


async def test_after_one_retry_a_refused_token_is_the_platforms_trouble(
    sandbox: RunningSandbox, phones: PhoneReader
) -> None:
    await sandbox.break_down(PHONE, "error", errcode=40001)
    for _ in range(5):
        with pytest.raises(PlatformUnavailable) as no:
            await phones.phone_of("any")
        assert no.value.retry_after_s == 5
    assert await sandbox.calls(PHONE) == 10
    # However often it happens, WeChat is asked and forced once in half a minute.
    assert await sandbox.calls(TOKEN) == 3


# --- trouble ---


async def test_busy_is_asked_once_more(sandbox: RunningSandbox, phones: PhoneReader) -> None:
    await sandbox.break_down(PHONE, "error", errcode=-1, times=1)
    assert await phones.phone_of(await a_code(sandbox)) == "13800138000"


@pytest.mark.parametrize(
    ("kind", "errcode", "retry_after_s", "calls"),
    [
        ("http_500", -1, 5, 1),
        ("rubbish", -1, 5, 1),
        ("error", -1, 1, 2),
        ("error", 45009, 60, 1),
        ("error", 47001, 60, 1),
        ("error", 48001, 60, 1),
        ("error", 99999, 5, 1),
    ],
)
async def test_what_is_not_the_callers_doing_is_unavailable(
    *,
    sandbox: RunningSandbox,
    phones: PhoneReader,
    kind: str,
    errcode: int,
    retry_after_s: int,
    calls: int,
) -> None:
    await sandbox.break_down(PHONE, kind, errcode=errcode)
    with pytest.raises(PlatformUnavailable) as no:
        await phones.phone_of("any")
    assert no.value.retry_after_s == retry_after_s
    assert await sandbox.calls(PHONE) == calls


@pytest.mark.parametrize("hanging", [TOKEN, PHONE])
async def test_a_hanging_wechat_costs_no_more_than_the_budget(
    sandbox: RunningSandbox, http: httpx.AsyncClient, token: AccessToken, hanging: str
) -> None:
    await sandbox.break_down(hanging, "hang")
    began = time.monotonic()
    with pytest.raises(PlatformUnavailable):
        await a_phone(sandbox, http, token, budget_s=0.5).phone_of("any")
    assert 0.3 < time.monotonic() - began < 5
    await token.close()


# --- answers worse than the sandbox can play ---


def an_answer(**change: Any) -> bytes:
    """One body that is good both for a token and for a phone number."""
    info: dict[str, Any] = {
        "phoneNumber": "13800138000",
        "purePhoneNumber": "13800138000",
        "countryCode": 86,
        "watermark": {"appid": APP_ID, "timestamp": int(time.time())},
    }
    token = {"access_token": "do-not-tell-token", "expires_in": 7200}
    return ok(msgspec.json.encode(token | {"errcode": 0, "phone_info": info | change}))


async def ask(http: httpx.AsyncClient, valkey: aioredis.Redis, raw: bytes) -> str:
    async with a_server_that_answers(raw) as (url, _):
        token = AccessToken(http, valkey, url, APP_ID, SECRET)
        return await WeChatPhone(WeChatClient(http, url, token)).phone_of(CODE)


@pytest.mark.parametrize("country", [86, "86", "+86", "0086"])
async def test_china_is_china_however_it_is_written(
    http: httpx.AsyncClient, valkey: aioredis.Redis, country: object
) -> None:
    assert await ask(http, valkey, an_answer(countryCode=country)) == "13800138000"


@pytest.mark.parametrize(
    ("watermark", "why"),
    [
        ({"appid": "wx-other", "timestamp": 0}, "foreign_watermark"),
        ({"appid": APP_ID, "timestamp": 0}, "stale_watermark"),
        ({"appid": APP_ID, "timestamp": 9_999_999_999}, "stale_watermark"),
    ],
)
async def test_a_watermark_that_is_foreign_or_stale_is_refused(
    http: httpx.AsyncClient, valkey: aioredis.Redis, watermark: dict[str, Any], why: str
) -> None:
    with capture_logs() as logs, pytest.raises(PlatformRefused, match="code_invalid"):
        await ask(http, valkey, an_answer(watermark=watermark))
    assert [entry["why"] for entry in logs] == [why]


@pytest.mark.parametrize(
    "change",
    [
        {"purePhoneNumber": ""},
        {"purePhoneNumber": "138 0013 8000"},
        {"purePhoneNumber": "１３８００１３８０００"},
        {"purePhoneNumber": "1" * 16},
        {"purePhoneNumber": None},
        {"countryCode": ""},
        {"countryCode": "0"},
        {"countryCode": -86},
        {"countryCode": "86 "},
        {"watermark": None},
        {"watermark": {"appid": APP_ID, "timestamp": "now"}},
    ],
)
async def test_a_number_that_cannot_be_read_is_nobodys(
    http: httpx.AsyncClient, valkey: aioredis.Redis, change: dict[str, Any]
) -> None:
    with pytest.raises(PlatformUnavailable):
        await ask(http, valkey, an_answer(**change))


@pytest.mark.parametrize("change", [{}, {"purePhoneNumber": "x"}, {"watermark": None}])
async def test_neither_logs_nor_errors_tell_number_code_token_or_secret(
    http: httpx.AsyncClient,
    valkey: aioredis.Redis,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    with capture_logs() as logs:
        try:
            await ask(http, valkey, an_answer(**change))
        except PlatformUnavailable as no:
            told += traceback.format_exception(no)
    told += [repr(logs), caplog.text]
    assert "do-not-tell" not in "\n".join(told)
    assert "13800138000" not in "\n".join(told)
