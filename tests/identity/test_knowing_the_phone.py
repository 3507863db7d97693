"""My phone: by what my platform vouches for, or by a code sent to it."""

from typing import Any

import pytest
import redis.asyncio as aioredis

from server.http.limits import Limits, Rate
from server.identity import otp as otp_module
from tests.conftest import Api, free_port
from tests.identity.people import a_persona, sandbox, through
from tests.people import Person

PHONE = "13812345678"


async def code_sent(api: Api, phone: str) -> str:
    sent = await sandbox(api, "GET", f"/sent?to={phone}&limit=100")
    codes = [message["fields"]["code"] for message in sent["data"] if "code" in message["fields"]]
    found: str = codes[0] if sent["data"][0]["at"] >= sent["data"][-1]["at"] else codes[-1]
    return found


async def by_sms(who: Person, phone: str, otp: str) -> tuple[int, dict[str, Any]]:
    reply = await who.post("/me/phone", {"channel": "sms", "phone": phone, "otp": otp})
    return reply.status_code, reply.json()


@pytest.fixture
async def lin(api: Api) -> Person:
    return await through(api, "wechat", await a_persona(api))


def a_phone(nth: int) -> str:
    return f"1371234{nth:04d}"


async def test_a_code_by_sms_proves_a_phone_once(api: Api, lin: Person) -> None:
    phone = a_phone(1)
    reply = await lin.post("/me/phone/otp", {"phone": "+86 137-1234 0001"})
    assert (reply.status_code, reply.json()) == (200, {"expires_in": 300})
    code = await code_sent(api, phone)
    assert len(code) == 6
    status, me = await by_sms(lin, phone, code)
    assert (status, me["phone"], me["assurance_level"]) == (200, "137****0001", 1)
    status, refused = await by_sms(lin, phone, code)
    assert (status, refused["code"]) == (422, "sms_code_wrong")


async def test_a_code_is_good_for_five_tries(api: Api, lin: Person) -> None:
    phone = a_phone(2)
    await lin.post("/me/phone/otp", {"phone": phone})
    code = await code_sent(api, phone)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for _ in range(otp_module.TRIES):
        assert (await by_sms(lin, phone, wrong))[0] == 422
    assert (await by_sms(lin, phone, code))[0] == 422


async def test_a_code_is_good_for_her_and_her_phone_only(api: Api, lin: Person) -> None:
    phone = a_phone(3)
    await lin.post("/me/phone/otp", {"phone": phone})
    code = await code_sent(api, phone)
    chen = await through(api, "wechat", await a_persona(api))
    assert (await by_sms(chen, phone, code))[0] == 422
    assert (await by_sms(lin, a_phone(4), code))[0] == 422
    assert (await by_sms(lin, phone, code))[0] == 200


async def test_a_new_code_replaces_the_one_before(api: Api, lin: Person) -> None:
    phone = a_phone(5)
    await lin.post("/me/phone/otp", {"phone": phone})
    first = await code_sent(api, phone)
    await lin.post("/me/phone/otp", {"phone": phone})
    second = await code_sent(api, phone)
    if first != second:
        assert (await by_sms(lin, phone, first))[0] == 422
    assert (await by_sms(lin, phone, second))[0] == 200


async def test_one_phone_is_sent_one_code_a_minute_whoever_asks(
    api: Api, lin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr(otp_module, "OTP_AGAIN", Rate("otp_again_test", 1, 3600))
    chen = await through(api, "wechat", await a_persona(api))
    replies = [await who.post("/me/phone/otp", {"phone": a_phone(6)}) for who in (lin, chen)]
    assert [reply.status_code for reply in replies] == [200, 429]
    assert int(replies[1].headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "phone", ["12345", "+1 202 555 0100", "95588000000", "一三八一二三四五六七八"]
)
async def test_what_is_no_mainland_mobile_is_named(lin: Person, phone: str) -> None:
    reply = await lin.post("/me/phone/otp", {"phone": phone})
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/phone")


async def test_wechats_code_tells_the_phone_once(api: Api) -> None:
    persona = await a_persona(api, phone=PHONE)
    lin = await through(api, "wechat", persona)
    proof = {"channel": "wechat", "code": persona.codes["phone_code"]}
    reply = await lin.post("/me/phone", proof)
    assert (reply.status_code, reply.json()["phone"]) == (200, "138****5678")
    again = await lin.post("/me/phone", proof)
    assert (again.status_code, again.json()["code"]) == (422, "proof_refused")


@pytest.mark.parametrize("channel", ["wechat", "alipay"])
async def test_a_proof_brought_while_valkey_is_away_is_good_afterwards(
    api: Api, monkeypatch: pytest.MonkeyPatch, channel: str
) -> None:
    persona = await a_persona(api, phone="13612340001")
    lin = await through(api, "wechat", persona)
    made = await sandbox(api, "POST", "/alipay/phone", {"id_number": persona.id_number})
    proof = {"channel": channel, "code": persona.codes["phone_code"]}
    if channel == "alipay":
        proof = {"channel": channel, "encrypted": made["alipay_phone_payload"]}
    with monkeypatch.context() as away:
        nobody_there = aioredis.from_url(f"redis://127.0.0.1:{free_port()}")
        away.setattr(api.services, "valkey", nobody_there)
        reply = await lin.post("/me/phone", proof)
        assert (reply.status_code, "retry-after" in reply.headers) == (503, True)
    assert (await lin.post("/me/phone", proof)).json()["phone"] == "136****0001"
    assert (await lin.post("/me/phone", proof)).json()["code"] == "proof_refused"


async def test_alipays_payload_tells_the_phone_once(api: Api) -> None:
    persona = await a_persona(api, phone=PHONE)
    lin = await through(api, "alipay", persona)
    made = await sandbox(api, "POST", "/alipay/phone", {"id_number": persona.id_number})
    proof = {"channel": "alipay", "encrypted": made["alipay_phone_payload"]}
    reply = await lin.post("/me/phone", proof)
    assert (reply.status_code, reply.json()["phone"]) == (200, "138****5678")
    thief = await through(api, "alipay", await a_persona(api))
    stolen = await thief.post("/me/phone", proof)
    assert (stolen.status_code, stolen.json()["code"]) == (422, "proof_refused")
    tampered = {"channel": "alipay", "encrypted": proof["encrypted"][:-9] + 'AAAAAAA"}'}
    assert (await lin.post("/me/phone", tampered)).json()["code"] == "proof_refused"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"channel": "pigeon", "code": "x"},
        {"channel": "sms", "phone": PHONE, "otp": "12345"},
        {"channel": "sms", "phone": PHONE, "otp": "12345x"},
        {"channel": "wechat"},
        {"code": "x"},
    ],
)
async def test_another_shape_is_named(lin: Person, body: dict[str, str]) -> None:
    reply = await lin.post("/me/phone", body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
