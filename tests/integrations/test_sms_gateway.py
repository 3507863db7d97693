"""Sending text messages, and the signatures that both gateways want."""

import hashlib
import hmac
import json
import logging
import time
import traceback
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from integrations.ports import PlatformRefused, PlatformUnavailable, SmsSender
from integrations.sandbox import SandboxSettings
from integrations.sms import SmsGateway
from tests.integrations.province_walks import break_endpoint, calls_of
from tests.integrations.sandbox_running import Json, RunningSandbox, running

ENDPOINT = "sms.messages"
PHONE, OTP = "13800138000", "204816"


def a_sender(sandbox: RunningSandbox, http: httpx.AsyncClient, **other: Any) -> SmsSender:
    account = sandbox.settings
    facts = {"host": sandbox.url, "app_key": account.sms_app_key, "secret": account.sms_secret}
    return SmsGateway(http, **(facts | other))


@pytest.fixture
def sender(sandbox: RunningSandbox, http: httpx.AsyncClient) -> SmsSender:
    return a_sender(sandbox, http)


async def sent(sandbox: RunningSandbox, to: str | None = None) -> list[Json]:
    params = {} if to is None else {"to": to}
    reply = await sandbox.http.get("/_sandbox/sent", params=params)
    return list(reply.json()["data"])


async def test_a_message_is_sent_with_its_fields(
    sandbox: RunningSandbox, sender: SmsSender
) -> None:
    assert await sender.send(PHONE, "otp", {"code": OTP, "minutes": "5"})
    messages = await sent(sandbox, PHONE)
    assert [(m["platform"], m["to"], m["template"], m["fields"]) for m in messages] == [
        ("sms", PHONE, "otp", {"code": OTP, "minutes": "5"})
    ]
    assert await sent(sandbox, "13900139000") == []


async def test_each_message_has_its_own_id(sender: SmsSender) -> None:
    ids = {await sender.send(PHONE, "otp", {"code": OTP}) for _ in range(3)}
    assert len(ids) == 3


async def test_the_same_reference_is_sent_once_a_day(
    sandbox: RunningSandbox, sender: SmsSender
) -> None:
    first = await sender.send(PHONE, "called", {"number": "A023"}, reference="notice-7")
    again = await sender.send(PHONE, "called", {"number": "A023"}, reference="notice-7")
    assert first == again
    assert len(await sent(sandbox)) == 1
    sandbox.clock.move(86_400)
    await sender.send(PHONE, "called", {"number": "A023"}, reference="notice-7")
    assert len(await sent(sandbox)) == 2


@pytest.mark.parametrize("phone", ["+85291234567", "19912345678"])
async def test_phones_here_and_abroad_are_reached(sender: SmsSender, phone: str) -> None:
    assert await sender.send(phone, "otp", {"code": OTP})


@pytest.mark.parametrize("phone", ["", "12345678901", "076922223333", "+8613800138000", "１３８"])
async def test_what_is_no_phone_is_refused(
    sandbox: RunningSandbox, sender: SmsSender, phone: str
) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await sender.send(phone, "otp", {"code": OTP})
    assert (refused.value.reason, refused.value.platform_code) == ("phone_invalid", "PHONE_INVALID")
    assert await sent(sandbox) == []


@pytest.mark.parametrize(
    ("template", "params", "code"),
    [
        ("", {}, "TEMPLATE_UNKNOWN"),
        ("模板", {}, "TEMPLATE_UNKNOWN"),
        ("otp", {"code": ""}, "PARAMS_INVALID"),
        ("otp", {"code": "a\nb"}, "PARAMS_INVALID"),
        ("otp", {"code": "x" * 201}, "PARAMS_INVALID"),
        ("otp", {"code": 7}, "PARAMS_INVALID"),
        ("otp", {str(n): "x" for n in range(17)}, "PARAMS_INVALID"),
    ],
)
async def test_a_message_no_carrier_would_take_is_refused_and_logged_as_our_fault(
    sender: SmsSender, template: str, params: dict[str, Any], code: str
) -> None:
    with capture_logs() as logs, pytest.raises(PlatformRefused) as refused:
        await sender.send(PHONE, template, params)
    assert (refused.value.reason, refused.value.platform_code) == ("message_invalid", code)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("sms_misconfigured", "error")
    ]


async def test_a_gateway_may_know_its_templates_and_who_wants_no_messages(
    http: httpx.AsyncClient,
) -> None:
    account = SandboxSettings(
        sms_templates=frozenset({"otp"}), sms_blocked=frozenset({"13900139000"})
    )
    async with running(account) as sandbox:
        sender = a_sender(sandbox, http)
        assert await sender.send(PHONE, "otp", {"code": OTP})
        with pytest.raises(PlatformRefused) as unknown:
            await sender.send(PHONE, "called", {})
        with pytest.raises(PlatformRefused) as blocked:
            await sender.send("13900139000", "otp", {"code": OTP})
    assert unknown.value.reason == "message_invalid"
    assert (blocked.value.reason, blocked.value.platform_code) == ("user_blocked", "PHONE_BLOCKED")


async def test_one_phone_gets_ten_a_minute(sandbox: RunningSandbox, sender: SmsSender) -> None:
    for _ in range(10):
        await sender.send(PHONE, "otp", {"code": OTP})
    with pytest.raises(PlatformRefused) as refused:
        await sender.send(PHONE, "otp", {"code": OTP})
    assert refused.value.reason == "too_often"
    await sender.send("13900139000", "otp", {"code": OTP})
    sandbox.clock.move(60)
    await sender.send(PHONE, "otp", {"code": OTP})


@pytest.mark.parametrize("wrong", [{"app_key": "somebody"}, {"secret": "wrong"}])
async def test_our_own_wrong_account_is_logged_as_our_fault(
    sandbox: RunningSandbox, http: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    with capture_logs() as logs, pytest.raises(PlatformUnavailable) as unavailable:
        await a_sender(sandbox, http, **wrong).send(PHONE, "otp", {"code": OTP})
    assert unavailable.value.retry_after_s == 60
    assert logs[0]["event"] == "sms_misconfigured"
    assert await sent(sandbox) == []


@pytest.mark.parametrize(
    ("errcode", "retry_after_s"), [("BUSY", 1), ("SOMETHING_NEW", 5), ("QUOTA_EXHAUSTED", 60)]
)
async def test_what_is_not_the_citizens_affair_is_unavailable(
    sandbox: RunningSandbox, sender: SmsSender, errcode: str, retry_after_s: int
) -> None:
    await break_endpoint(sandbox, ENDPOINT, "error", errcode=errcode)
    with pytest.raises(PlatformUnavailable) as unavailable:
        await sender.send(PHONE, "otp", {"code": OTP})
    assert unavailable.value.retry_after_s == retry_after_s


@pytest.mark.parametrize("kind", ["http_500", "rubbish"])
async def test_a_lost_answer_is_not_asked_again_because_the_message_may_be_on_its_way(
    sandbox: RunningSandbox, sender: SmsSender, kind: str
) -> None:
    await break_endpoint(sandbox, ENDPOINT, kind)
    with pytest.raises(PlatformUnavailable):
        await sender.send(PHONE, "otp", {"code": OTP})
    assert await calls_of(sandbox, ENDPOINT) == 1


async def test_a_hanging_gateway_costs_no_more_than_the_budget(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    await break_endpoint(sandbox, ENDPOINT, "hang")
    began = time.monotonic()
    with pytest.raises(PlatformUnavailable):
        await a_sender(sandbox, http, budget_s=0.4).send(PHONE, "otp", {"code": OTP})
    assert 0.3 < time.monotonic() - began < 5


@pytest.mark.parametrize("errcode", [None, "PHONE_INVALID", "PARAMS_INVALID", "APP_UNKNOWN"])
async def test_neither_errors_nor_logs_tell_the_phone_or_the_otp(
    sandbox: RunningSandbox,
    sender: SmsSender,
    caplog: pytest.LogCaptureFixture,
    errcode: str | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    if errcode is not None:
        await break_endpoint(sandbox, ENDPOINT, "error", errcode=errcode)
    told = [repr(sender)]
    with capture_logs() as logs:
        try:
            await sender.send(PHONE, "otp", {"code": OTP})
        except (PlatformRefused, PlatformUnavailable) as no:
            told += [repr(no), *traceback.format_exception(no)]
    text = "\n".join([*told, caplog.text, repr(logs)])
    assert PHONE not in text
    assert OTP not in text
    assert sandbox.settings.sms_secret not in text


# --- the signature, written here a third time ---


def signed(sandbox: RunningSandbox, content: bytes, **other: str) -> dict[str, str]:
    timestamp, nonce = other.get("timestamp", str(int(time.time()))), other.get("nonce", "n-1")
    lines = ["POST", "/sms/messages", timestamp, nonce, hashlib.sha256(content).hexdigest()]
    secret = sandbox.settings.sms_secret.encode()
    return {
        "X-App-Key": sandbox.settings.sms_app_key,
        "X-Timestamp": timestamp,
        "X-Nonce": nonce,
        "X-Signature": hmac.new(secret, "\n".join(lines).encode(), "sha256").hexdigest(),
    }


BODY = json.dumps({"phone": PHONE, "template": "otp", "params": {"code": OTP}}).encode()


async def post(sandbox: RunningSandbox, content: bytes, headers: dict[str, str]) -> tuple[int, str]:
    reply = await sandbox.http.post("/sms/messages", content=content, headers=headers)
    return reply.status_code, reply.json().get("code", "")


async def test_a_request_signed_by_the_book_is_accepted_once(sandbox: RunningSandbox) -> None:
    headers = signed(sandbox, BODY)
    assert await post(sandbox, BODY, headers) == (200, "")
    assert await post(sandbox, BODY, headers) == (401, "NONCE_USED")
    assert await post(sandbox, BODY, signed(sandbox, BODY, nonce="n-2")) == (200, "")


async def test_a_changed_body_or_header_is_noticed(sandbox: RunningSandbox) -> None:
    wrong = (401, "SIGNATURE_WRONG")
    assert await post(sandbox, BODY.replace(b"8000", b"8001"), signed(sandbox, BODY)) == wrong
    for name in ("X-Timestamp", "X-Nonce", "X-Signature"):
        for value in ("", "1", "x"):
            assert await post(sandbox, BODY, signed(sandbox, BODY) | {name: value}) == wrong
    assert (await post(sandbox, BODY, {}))[1] == "APP_UNKNOWN"


@pytest.mark.parametrize("shift_s", [-301, 302])
async def test_a_stale_or_early_request_is_refused(sandbox: RunningSandbox, shift_s: int) -> None:
    headers = signed(sandbox, BODY, timestamp=str(int(time.time()) + shift_s))
    assert await post(sandbox, BODY, headers) == (401, "TIMESTAMP_EXPIRED")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "NOT_JSON"),
        (b"\xff", "NOT_JSON"),
        (b"[]", "REQUEST_INVALID"),
        (b'{"phone": 1}', "REQUEST_INVALID"),
        (BODY[:-1] + b', "reference": "a b"}', "REQUEST_INVALID"),
    ],
)
async def test_a_body_of_another_shape_is_refused(
    sandbox: RunningSandbox, content: bytes, code: str
) -> None:
    assert await post(sandbox, content, signed(sandbox, content)) == (400, code)
