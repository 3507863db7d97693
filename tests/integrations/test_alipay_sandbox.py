"""The sandbox's Alipay on the wire: it keeps to the contract, whatever it is sent."""

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from integrations.alipay.signing import sign, signed_part, text_to_sign, verify
from integrations.sandbox import SandboxSettings
from tests.integrations.alipay_running import (
    QUERY,
    START,
    TOKEN,
    RunningAlipay,
    a_key,
    private_key,
    running_alipay,
    settings,
)
from tests.integrations.sandbox_running import Json, running

BEIJING = timezone(timedelta(hours=8))


def at(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def question(alipay: RunningAlipay, **other: str) -> dict[str, str]:
    common = {
        "app_id": alipay.keys["app_id"],
        "method": TOKEN,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": at(datetime.now(BEIJING)),
        "version": "1.0",
        "grant_type": "authorization_code",
        **alipay.credentials.serial_numbers,
    }
    return {k: v for k, v in (common | other).items() if v != "(none)"}


def signed(params: dict[str, str], whose: str = "app") -> dict[str, str]:
    return params | {"sign": sign(text_to_sign(params), private_key(whose))}


async def say(alipay: RunningAlipay, params: dict[str, str]) -> Json:
    """Ask, check the signature where there is one, and return the answer's content."""
    reply = await alipay.http.post(alipay.url, data=params)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html;charset=utf-8"
    own_name = params.get("method", "").replace(".", "_") + "_response"
    part = signed_part(reply.content, own_name, "error_response")
    if part.signature is not None:
        assert verify(part.content, part.signature, private_key("alipay").public_key())
        assert (part.cert_sn is not None) == (alipay.mode == "certificate")
    found: Json = json.loads(part.content)
    return found | {"signed": part.signature is not None, "name": part.name}


async def test_a_good_question_gets_tokens_and_no_code(either_alipay: RunningAlipay) -> None:
    alipay = either_alipay
    persona = await alipay.sandbox.persona()
    told = await say(alipay, signed(question(alipay, code=persona["alipay_code"])))
    assert "code" not in told
    assert re.fullmatch(r"2088\d{12}", told["user_id"])
    assert told["user_id"] == persona["alipay_user_id"]
    assert told["open_id"] == persona["alipay_open_id"]
    assert {"access_token", "refresh_token", "expires_in", "re_expires_in", "auth_start"} <= {*told}


async def test_a_refresh_token_works_once_and_brings_the_next(alipay: RunningAlipay) -> None:
    persona = await alipay.sandbox.persona()
    first = await say(alipay, signed(question(alipay, code=persona["alipay_code"])))
    again = question(alipay, grant_type="refresh_token", refresh_token=first["refresh_token"])
    second = await say(alipay, signed(again))
    assert second["open_id"] == first["open_id"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (await say(alipay, signed(again)))["sub_code"] == "isv.refresh-token-invalid"
    stolen = question(alipay, grant_type="refresh_token", refresh_token=first["access_token"])
    assert (await say(alipay, signed(stolen)))["sub_code"] == "isv.refresh-token-invalid"


@pytest.mark.parametrize(
    ("other", "code", "sub_code"),
    [
        ({"app_id": "(none)"}, "40001", "isv.missing-app-id"),
        ({"app_id": "2021"}, "40002", "isv.invalid-app-id"),
        ({"method": "(none)"}, "40001", "isv.missing-method"),
        ({"method": "alipay.no.such"}, "40002", "isv.invalid-method"),
        ({"timestamp": "(none)"}, "40001", "isv.missing-timestamp"),
        ({"timestamp": "2026-11-23T09:30:00"}, "40002", "isv.invalid-timestamp"),
        ({"timestamp": "2019-01-01 00:00:00"}, "40002", "isv.invalid-timestamp"),
        ({"version": "(none)"}, "40001", "isv.missing-version"),
        ({"sign_type": "(none)"}, "40001", "isv.missing-signature-type"),
        ({"sign_type": "RSA"}, "40002", "isv.invalid-signature-type"),
        ({"grant_type": "password"}, "40002", "isv.grant-type-invalid"),
        ({"code": "nobodys"}, "40002", "isv.code-invalid"),
        ({"code": "(none)"}, "40002", "isv.code-invalid"),
        ({"code": "韩\x00'\"%&="}, "40002", "isv.code-invalid"),
    ],
)
async def test_what_is_wrong_is_named(
    alipay: RunningAlipay, other: dict[str, str], code: str, sub_code: str
) -> None:
    told = await say(alipay, signed(question(alipay, **({"code": "x"} | other))))
    assert (told["code"], told["sub_code"]) == (code, sub_code)
    assert told["name"] == "error_response"
    assert told["signed"] == ("app-id" not in sub_code)


async def test_what_is_wrongly_signed_is_refused(either_alipay: RunningAlipay) -> None:
    alipay = either_alipay
    good = question(alipay, code="x")
    for params, sub_code in (
        (good, "isv.missing-signature"),
        (good | {"sign": "AAAA"}, "isv.invalid-signature"),
        (good | {"sign": "签名"}, "isv.invalid-signature"),
        (signed(good, "other"), "isv.invalid-signature"),
        (signed(good) | {"code": "y"}, "isv.invalid-signature"),
        (signed(good) | {"more": "y"}, "isv.invalid-signature"),
    ):
        told = await say(alipay, params)
        assert (told["sub_code"], told["signed"]) == (sub_code, True)


async def test_a_timestamp_may_be_ten_minutes_off(alipay: RunningAlipay) -> None:
    for minutes, sub_code in (
        (-9, "isv.code-invalid"),
        (9, "isv.code-invalid"),
        (-11, "isv.invalid-timestamp"),
        (11, "isv.invalid-timestamp"),
    ):
        moment = at(datetime.now(BEIJING) + timedelta(minutes=minutes))
        told = await say(alipay, signed(question(alipay, code="x", timestamp=moment)))
        assert told["sub_code"] == sub_code


@pytest.mark.parametrize(
    ("other", "sub_code"),
    [
        ({"app_cert_sn": "(none)"}, "isv.missing-app-cert-sn"),
        ({"app_cert_sn": "0" * 32}, "isv.app-cert-not-exist"),
        ({"alipay_root_cert_sn": "(none)"}, "isv.missing-alipay-root-cert-sn"),
        ({"alipay_root_cert_sn": "0" * 32}, "isv.invalid-alipay-root-cert-sn"),
    ],
)
async def test_in_certificate_mode_both_serial_numbers_must_be_right(
    other: dict[str, str], sub_code: str
) -> None:
    async with running_alipay("certificate") as alipay:
        told = await say(alipay, signed(question(alipay, code="x", **other)))
        assert (told["code"], told["sub_code"]) == ("40002", sub_code)


def start(**changes: Any) -> Json:
    return {
        "outer_order_no": "ZGYD201809132323000001234",
        "biz_code": "FACE",
        "identity_param": {
            "identity_type": "CERT_INFO",
            "cert_type": "IDENTITY_CARD",
            "cert_name": "张三",
            "cert_no": "99000119900307001X",
        },
        "merchant_config": {"return_url": "https://yiting.example/face"},
    } | changes


@pytest.mark.parametrize(
    ("method", "biz_content", "sub_code"),
    [
        (START, "", "isv.illegal-json"),
        (START, "{", "isv.illegal-json"),
        (START, '{"z":' + "[" * 10_000, "isv.illegal-json"),
        (START, "{}", "isv.invalid-parameter"),
        (START, json.dumps(start(biz_code="SMILE")), "isv.invalid-parameter"),
        (START, json.dumps(start(merchant_config={})), "isv.invalid-parameter"),
        (START, json.dumps(start(identity_param={"cert_no": "1"})), "isv.invalid-parameter"),
        (QUERY, "", "isv.illegal-json"),
        (QUERY, '{"certify_id":7}', "isv.invalid-parameter"),
        (QUERY, '{"certify_id":"x"}', "OPEN_CERTIFY_BILL_NOT_EXIST"),
    ],
)
async def test_wrong_content_is_refused_under_the_methods_own_name(
    alipay: RunningAlipay, method: str, biz_content: str, sub_code: str
) -> None:
    told = await say(alipay, signed(question(alipay, method=method, biz_content=biz_content)))
    assert (told["sub_code"], told["signed"]) == (sub_code, True)
    assert told["name"] != "error_response"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"app_id=%ff", b"&&=&=", b"x" * 100_000])
async def test_rubbish_gets_an_answer_and_no_fault(alipay: RunningAlipay, body: bytes) -> None:
    reply = await alipay.http.post(alipay.url, content=body)
    assert (reply.status_code, "isv.missing-app-id" in reply.text) == (200, True)


async def test_faults_are_told_in_alipays_words(either_alipay: RunningAlipay) -> None:
    alipay = either_alipay
    for errcode, code, sub_code in (
        (20000, "20000", "isp.unknow-error"),
        (40005, "40005", "isv.app-call-limited"),
        ("isv.invalid-signature", "40002", "isv.invalid-signature"),
        ("ACQ.TRADE_NOT_EXIST", "40004", "ACQ.TRADE_NOT_EXIST"),
        (-1, "20000", "isp.unknow-error"),
    ):
        await alipay.misbehave(TOKEN, "error", errcode=errcode, times=1)
        told = await say(alipay, signed(question(alipay, code="x")))
        assert (told["code"], told["sub_code"], told["signed"]) == (code, sub_code, True)


async def test_only_endpoints_that_sign_can_sign_wrongly(alipay: RunningAlipay) -> None:
    for endpoint in ("wechat.jscode2session", "alipay.user.certify.open.certify"):
        fault = {"endpoint": endpoint, "kind": "wrong_signature"}
        reply = await alipay.sandbox.http.put("/_sandbox/faults", json=fault)
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (400, "/kind")


async def test_doors_refuse_whom_they_do_not_know(alipay: RunningAlipay) -> None:
    http = alipay.sandbox.http
    for path, body, status in (
        ("phone", {"id_number": "nobody"}, 404),
        ("phone", {}, 400),
        ("faces", {"certify_id": "nothing"}, 404),
        ("faces", {"certify_id": "nothing", "outcome": "maybe"}, 400),
    ):
        reply = await http.post(f"/_sandbox/alipay/{path}", json=body)
        assert reply.status_code == status


async def test_a_sandbox_without_keys_makes_both_pairs_and_tells_ours() -> None:
    async with running() as sandbox:
        keys = (await sandbox.http.get("/_sandbox/alipay/keys")).json()
        assert keys == (await sandbox.http.get("/_sandbox/alipay/keys")).json()
        assert "PRIVATE KEY" in keys["app_private_key"]
        assert "PRIVATE KEY" not in keys["alipay_public_key"]


async def test_given_keys_stay_over_restarts_and_ours_is_not_told() -> None:
    found = []
    for _ in range(2):
        async with running(settings()) as sandbox:
            found.append((await sandbox.http.get("/_sandbox/alipay/keys")).json())
    for name in ("alipay_public_key", "app_cert", "alipay_cert"):
        assert found[0][name] == found[1][name]
    assert found[0]["app_private_key"] is None


async def test_ids_stay_over_restarts_and_differ_by_app() -> None:
    found = []
    for app_id in ("2021004100000001", "2021004100000001", "2021004100000002"):
        async with running(SandboxSettings(alipay_app_id=app_id)) as sandbox:
            found.append(await sandbox.persona())
    first, again, other = found
    assert first["alipay_open_id"] == again["alipay_open_id"] != other["alipay_open_id"]
    assert first["alipay_user_id"] == again["alipay_user_id"] == other["alipay_user_id"]


def test_settings_do_not_show_keys() -> None:
    told = repr(settings())
    assert a_key("alipay") not in told
    assert SandboxSettings().alipay_aes_key not in told
