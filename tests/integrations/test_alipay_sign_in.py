"""Signing in with Alipay, against the sandbox, with plain keys and with certificates."""

import logging
import time
import traceback
from asyncio import gather
from collections.abc import Callable

import httpx
import pytest
from structlog.testing import capture_logs

from integrations.alipay import AlipayCredentials, AlipayGateway, AlipaySignIn
from integrations.ports import PlatformRefused, PlatformUnavailable, Visitor
from integrations.sandbox.alipay_keys import public_key_of
from tests.integrations.alipay_running import (
    TOKEN,
    RunningAlipay,
    a_key,
    alipay_says,
    plain_credentials,
    running_alipay,
)
from tests.integrations.raw_server import a_server_that_answers, ok
from tests.integrations.sandbox_running import Json


async def refused(alipay: RunningAlipay, code: str) -> tuple[str, str | None]:
    with pytest.raises(PlatformRefused) as no:
        await alipay.door.who_is(code)
    return no.value.reason, no.value.platform_code


async def why_unavailable(door: AlipaySignIn, code: str = "any") -> tuple[str, int]:
    """The event's reason and how long to wait."""
    with capture_logs() as logs, pytest.raises(PlatformUnavailable) as no:
        await door.who_is(code)
    [entry] = logs
    return entry["why"], no.value.retry_after_s


async def test_a_code_becomes_a_visitor_known_by_open_id_and_by_the_older_user_id(
    either_alipay: RunningAlipay,
) -> None:
    alipay = either_alipay
    persona = await alipay.sandbox.persona()
    visitor = await alipay.door.who_is(persona["alipay_code"])
    assert visitor == Visitor(
        platform="alipay",
        app_id=alipay.keys["app_id"],
        subject=persona["alipay_open_id"],
        union_subject=visitor.union_subject,
        legacy_subject=persona["alipay_user_id"],
    )
    assert visitor.union_subject not in (None, visitor.subject)


async def test_an_older_app_knows_its_visitors_by_user_id() -> None:
    async with running_alipay(alipay_ids="user_id") as alipay:
        persona = await alipay.sandbox.persona()
        visitor = await alipay.door.who_is(persona["alipay_code"])
    assert visitor == Visitor("alipay", alipay.keys["app_id"], persona["alipay_user_id"])


async def test_a_new_app_is_told_no_user_id() -> None:
    async with running_alipay(alipay_ids="open_id", alipay_union_account=None) as alipay:
        persona = await alipay.sandbox.persona()
        visitor = await alipay.door.who_is(persona["alipay_code"])
    assert visitor == Visitor("alipay", alipay.keys["app_id"], persona["alipay_open_id"])


async def test_the_same_id_number_is_the_same_visitor(alipay: RunningAlipay) -> None:
    codes = [(await alipay.sandbox.persona("A1234567"))["alipay_code"] for _ in range(2)]
    first, second = [await alipay.door.who_is(code) for code in codes]
    assert first == second
    other = await alipay.sandbox.persona("A7654321")
    assert (await alipay.door.who_is(other["alipay_code"])).subject != first.subject


async def test_used_expired_and_unknown_codes_are_refused_alike(
    either_alipay: RunningAlipay,
) -> None:
    alipay = either_alipay
    used = (await alipay.sandbox.persona())["alipay_code"]
    await alipay.door.who_is(used)
    expired = (await alipay.sandbox.persona())["alipay_code"]
    wechats = (await alipay.sandbox.persona())["wechat_code"]
    alipay.sandbox.clock.move(300)
    for code in (used, expired, wechats, "nobody-has-this", "a&code=b", "a+b c", "a%00=b"):
        assert await refused(alipay, code) == ("code_invalid", "isv.code-invalid")


async def test_of_ten_who_spend_one_code_at_once_one_succeeds(alipay: RunningAlipay) -> None:
    code = (await alipay.sandbox.persona())["alipay_code"]
    found = await gather(*(alipay.door.who_is(code) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(one, Visitor) for one in found) == 1
    assert sum(isinstance(one, PlatformRefused) for one in found) == 9


@pytest.mark.parametrize("code", ["", "x" * 513, "a\nb", "码", "\ud800", "a\x00"])
async def test_what_cannot_be_a_code_is_refused_without_asking(
    alipay: RunningAlipay, code: str
) -> None:
    assert await refused(alipay, code) == ("code_invalid", None)
    assert await alipay.asked(TOKEN) == 0


async def test_too_many_calls_are_refused_as_that(either_alipay: RunningAlipay) -> None:
    alipay = either_alipay
    await alipay.misbehave(TOKEN, "error", errcode=40005)
    assert await refused(alipay, "any") == ("too_often", "isv.app-call-limited")


@pytest.mark.parametrize("errcode", [20000, "ACQ.SYSTEM_ERROR"])
async def test_a_busy_alipay_is_unavailable_and_not_asked_again(
    alipay: RunningAlipay, errcode: int | str
) -> None:
    await alipay.misbehave(TOKEN, "error", errcode=errcode)
    assert await why_unavailable(alipay.door) == ("busy", 1)
    assert await alipay.asked(TOKEN) == 1


@pytest.mark.parametrize("errcode", [40004, "ACQ.TRADE_HAS_CLOSE", "²", "张三", ""])
async def test_a_refusal_we_do_not_know_is_unavailable(
    alipay: RunningAlipay, errcode: int | str
) -> None:
    await alipay.misbehave(TOKEN, "error", errcode=errcode)
    assert await why_unavailable(alipay.door) == ("unknown_code", 5)


@pytest.mark.parametrize("errcode", [40001, 40002, 40003, 40006, 20001, "isv.illegal-json"])
async def test_our_own_mistakes_are_logged_as_ours_and_never_the_callers(
    alipay: RunningAlipay, errcode: int | str
) -> None:
    await alipay.misbehave(TOKEN, "error", errcode=errcode)
    with capture_logs() as logs:
        assert (await ask_again_after(alipay.door)) == 60
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("alipay_misconfigured", "error")
    ]


async def ask_again_after(door: AlipaySignIn) -> int:
    with pytest.raises(PlatformUnavailable) as no:
        await door.who_is("any")
    return no.value.retry_after_s


async def test_an_answer_with_a_wrong_signature_is_no_answer(either_alipay: RunningAlipay) -> None:
    alipay = either_alipay
    await alipay.misbehave(TOKEN, "wrong_signature", times=2)
    code = (await alipay.sandbox.persona())["alipay_code"]
    assert await why_unavailable(alipay.door, code) == ("wrong_signature", 5)
    # Not even when it says no.
    assert await why_unavailable(alipay.door, code) == ("wrong_signature", 5)
    assert await refused(alipay, code) == ("code_invalid", "isv.code-invalid")


@pytest.mark.parametrize(
    ("kind", "why"), [("http_500", "http_500"), ("rubbish", "rubbish"), ("hang", "too_slow")]
)
async def test_no_usable_answer_is_unavailable_within_the_budget_and_asked_once(
    alipay: RunningAlipay, kind: str, why: str
) -> None:
    await alipay.misbehave(TOKEN, kind)
    gateway = AlipayGateway(alipay.http, alipay.url, alipay.credentials, budget_s=0.4)
    began = time.monotonic()
    assert await why_unavailable(AlipaySignIn(gateway)) == (why, 5)
    assert time.monotonic() - began < 5
    assert await alipay.asked(TOKEN) == 1


async def test_a_late_answer_within_the_budget_is_good(alipay: RunningAlipay) -> None:
    await alipay.misbehave(TOKEN, "delay", seconds=0.05)
    persona = await alipay.sandbox.persona()
    visitor = await alipay.door.who_is(persona["alipay_code"])
    assert visitor.subject == persona["alipay_open_id"]


class _FirstConnectionFails(httpx.AsyncHTTPTransport):
    tries = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.tries += 1
        if self.tries == 1:
            raise httpx.ConnectError("no route", request=request)
        return await super().handle_async_request(request)


async def test_a_failed_connection_is_tried_once_more(alipay: RunningAlipay) -> None:
    persona = await alipay.sandbox.persona()
    async with httpx.AsyncClient(transport=_FirstConnectionFails()) as http:
        door = AlipaySignIn(AlipayGateway(http, alipay.url, alipay.credentials))
        assert (await door.who_is(persona["alipay_code"])).subject == persona["alipay_open_id"]


async def test_alipay_knows_us_by_our_key_and_leaves_the_code_good(
    either_alipay: RunningAlipay,
) -> None:
    alipay = either_alipay
    impostor = AlipayCredentials.with_public_key(
        alipay.keys["app_id"], a_key("other"), alipay.keys["alipay_public_key"]
    )
    code = (await alipay.sandbox.persona())["alipay_code"]
    door = AlipaySignIn(AlipayGateway(alipay.http, alipay.url, impostor))
    with capture_logs() as logs:
        assert await ask_again_after(door) == 60
    assert logs[0]["sub_code"] == "isv.invalid-signature"
    assert isinstance(await alipay.door.who_is(code), Visitor)


async def test_an_app_alipay_does_not_know_gets_an_unsigned_answer_that_counts_for_nothing(
    alipay: RunningAlipay,
) -> None:
    stranger = AlipayCredentials.with_public_key(
        "2021000000000404", a_key("app"), alipay.keys["alipay_public_key"]
    )
    door = AlipaySignIn(AlipayGateway(alipay.http, alipay.url, stranger))
    with capture_logs() as logs:
        assert await ask_again_after(door) == 5
    assert (logs[0]["why"], logs[0]["claimed_sub_code"]) == ("unsigned", "isv.invalid-app-id")


async def test_we_know_alipay_by_its_key_and_not_by_anybody_elses() -> None:
    def another_key(keys: Json) -> Json:
        return keys | {"alipay_public_key": public_key_of(a_key("other"))}

    async with running_alipay("key", another_key) as alipay:
        code = (await alipay.sandbox.persona())["alipay_code"]
        assert await why_unavailable(alipay.door, code) == ("wrong_signature", 5)


async def test_an_answer_under_a_certificate_we_do_not_have_is_no_answer() -> None:
    def another_certificate(keys: Json) -> Json:
        return keys | {"alipay_cert": keys["app_cert"]}

    async with running_alipay("certificate", another_certificate) as alipay:
        code = (await alipay.sandbox.persona())["alipay_code"]
        assert await why_unavailable(alipay.door, code) == ("unknown_certificate", 5)


async def test_while_alipay_changes_its_certificate_both_count() -> None:
    async with running_alipay("certificate") as alipay:
        both = AlipayCredentials.with_certificates(
            alipay.keys["app_id"],
            a_key("app"),
            app_cert=alipay.keys["app_cert"],
            alipay_certs=[alipay.keys["app_cert"], alipay.keys["alipay_cert"]],
            alipay_root_cert=alipay.keys["alipay_root_cert"],
        )
        code = (await alipay.sandbox.persona())["alipay_code"]
        door = AlipaySignIn(AlipayGateway(alipay.http, alipay.url, both))
        assert isinstance(await door.who_is(code), Visitor)


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (lambda good: good.replace(b"2088", b"2089"), "wrong_signature"),
        (lambda good: good.replace(b',"sign"', b',"sing"'), "unsigned"),
        (lambda good: good.replace(b'"user_id"', b' "user_id"'), "wrong_signature"),
        (lambda good: good.replace(b"alipay_system", b"alipay_trade"), "rubbish"),
        (lambda good: good[:-1], "rubbish"),
        (lambda good: alipay_says(b'{"user_id":"2088"}', whose="other"), "wrong_signature"),
        # The last member of a name is the one both signature and meaning are taken from.
        (lambda good: good[:-1] + b"," + good[1:].replace(b"2088", b"2089"), "wrong_signature"),
        (lambda good: alipay_says(b"{}"), "no_id"),
        (lambda good: alipay_says(b'{"user_id":"","open_id":""}'), "no_id"),
        (lambda good: alipay_says(b'{"user_id":7}'), "unexpected_content"),
        (lambda good: alipay_says(b'{"user_id":"' + b"2" * 129 + b'"}'), "unexpected_content"),
        (lambda good: alipay_says(b"[]"), "rubbish"),
        (lambda good: alipay_says(b'"aGVsbG8="'), "rubbish"),
        (lambda good: alipay_says(b'{"code":[]}'), "rubbish"),
        (lambda good: alipay_says(b'{"code":40004}'), "unknown_code"),
        (
            lambda good: alipay_says(b"{}").replace(b"alipay_system_oauth_token", b"error"),
            "rubbish",
        ),
        (lambda good: b'{"z":' + b"[" * 100_000, "rubbish"),
    ],
)
async def test_forged_and_odd_answers_are_unavailable(
    http: httpx.AsyncClient, forge: Callable[[bytes], bytes], why: str
) -> None:
    good = alipay_says(b'{"user_id":"2088102150477652"}')
    async with a_server_that_answers(ok(forge(good))) as (url, heard):
        door = AlipaySignIn(AlipayGateway(http, url, plain_credentials()))
        assert await why_unavailable(door) == (why, 5)
        assert len(heard) == 1


@pytest.mark.parametrize(
    "content",
    [b'{"user_id":"2088"}', b'{"code":"10000","user_id":"2088"}', b'{"user_id":"20\\/88"}'],
)
async def test_a_genuine_answer_of_either_age_is_good(
    http: httpx.AsyncClient, content: bytes
) -> None:
    async with a_server_that_answers(ok(alipay_says(content))) as (url, _):
        door = AlipaySignIn(AlipayGateway(http, url, plain_credentials()))
        assert (await door.who_is("any")).subject.startswith("20")


async def test_what_a_redirect_asks_for_is_not_done(http: httpx.AsyncClient) -> None:
    async with a_server_that_answers(ok(b"{}")) as (elsewhere, heard_elsewhere):
        moved = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere}/\r\nContent-Length: 0\r\n\r\n"
        async with a_server_that_answers(moved.encode()) as (url, _):
            door = AlipaySignIn(AlipayGateway(http, url, plain_credentials()))
            assert await why_unavailable(door) == ("http_307", 5)
    assert heard_elsewhere == []


@pytest.mark.parametrize(
    "raw",
    [
        ok(alipay_says(b'{"user_id":"do-not-tell-this-id","open_id":7}')),
        ok(alipay_says(b'{"code":"40004","sub_code":"do not tell: name"}')),
        ok(b'{"error_response":{"code":"do not tell","sub_code":"do not tell"}}'),
        ok(b"do-not-tell-this-body"),
        b"",
        b"rubbish\r\n\r\n",
    ],
)
async def test_neither_errors_nor_logs_tell_who_asked_or_what_was_answered(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, raw: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    # Tracebacks quote the line that asks, so the code is not written in it.
    code = "do-not-tell-this-code"
    async with a_server_that_answers(raw) as (url, _):
        door = AlipaySignIn(AlipayGateway(http, url, plain_credentials()))
        with capture_logs() as logs, pytest.raises(PlatformUnavailable) as no:
            await door.who_is(code)
    told = "\n".join(
        [repr(door), repr(no.value), caplog.text, repr(logs), *traceback.format_exception(no.value)]
    )
    assert "do-not-tell" not in told
    assert "do not tell" not in told
    assert "PRIVATE KEY" not in told
