"""Aliyun's and Tencent's SMS: signed as their documents say, and one after the other."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from integrations.ports import NotDone, PlatformRefused, PlatformUnavailable, SmsSender
from integrations.sms import AliyunSms, SmsInTurn, TencentSms
from integrations.sms.aliyun import signature
from integrations.texting import SmsSettings, open_sms
from server.settings import read_as
from tests.integrations.province_walks import break_endpoint
from tests.integrations.sandbox_running import RunningSandbox

PHONE = "13800138000"
VENDORS = ["aliyun", "tencent"]


def aliyun(sandbox: RunningSandbox, http: httpx.AsyncClient, **other: Any) -> SmsSender:
    account = sandbox.settings
    facts = {
        "host": f"{sandbox.url}/sms/aliyun",
        "key_id": account.aliyun_sms_key,
        "secret": account.aliyun_sms_secret,
        "sign_name": account.sms_sign_name,
    }
    return AliyunSms(http, **(facts | other))


def tencent(sandbox: RunningSandbox, http: httpx.AsyncClient, **other: Any) -> SmsSender:
    account = sandbox.settings
    facts: dict[str, Any] = {
        "host": f"{sandbox.url}/sms/tencent",
        "secret_id": account.tencent_sms_id,
        "secret_key": account.tencent_sms_secret,
        "app_id": "1400000000",
        "sign_name": account.sms_sign_name,
    }
    return TencentSms(http, **(facts | other))


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Any:
    return {"aliyun": aliyun, "tencent": tencent}[request.param]


@pytest.fixture
def sender(vendor: Any, sandbox: RunningSandbox, http: httpx.AsyncClient) -> SmsSender:
    found: SmsSender = vendor(sandbox, http)
    return found


async def taken(sandbox: RunningSandbox) -> list[tuple[str, str, str]]:
    found = (await sandbox.http.get("/_sandbox/sent")).json()["data"]
    return [(one["platform"], one["to"], one["template"]) for one in found]


def test_the_signature_is_that_of_aliyuns_own_example() -> None:
    example = {
        "AccessKeyId": "testId",
        "Action": "SendSms",
        "Format": "XML",
        "OutId": "123",
        "PhoneNumbers": "15300000001",
        "RegionId": "cn-hangzhou",
        "SignName": "阿里云短信测试专用",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466",
        "SignatureVersion": "1.0",
        "TemplateCode": "SMS_71390007",
        "TemplateParam": '{"customer":"test"}',
        "Timestamp": "2017-07-12T02:42:19Z",
        "Version": "2017-05-25",
    }
    assert signature("GET", example, "testSecret") == "zJDF+Lrzhj/ThnlvIToysFRq6t4="


@pytest.mark.parametrize("phone", [PHONE, "+85291234567"])
async def test_a_message_is_sent(
    sandbox: RunningSandbox, http: httpx.AsyncClient, vendor: Any, phone: str
) -> None:
    sender = vendor(sandbox, http)
    numbers = {await sender.send(phone, "T1", {"number": "A 023~*", "hall": "虎门&=+"})}
    numbers.add(await sender.send(phone, "T1", {"number": "A024"}, reference="n-1"))
    assert len(numbers) == 2
    assert [one[1:] for one in await taken(sandbox)] == [(phone, "T1")] * 2


@pytest.mark.parametrize(
    ("phone", "value", "reason"),
    [("12345", "b", "phone_invalid"), (PHONE, "长" * 36, "message_invalid")],
)
async def test_what_it_refuses_is_said_in_our_words(
    sandbox: RunningSandbox, sender: SmsSender, phone: str, value: str, reason: str
) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await sender.send(phone, "T1", {"a": value})
    assert refused.value.reason == reason
    assert await taken(sandbox) == []


async def test_too_many_to_one_phone_are_refused(
    sandbox: RunningSandbox, http: httpx.AsyncClient, vendor: Any
) -> None:
    sender = vendor(sandbox, http)
    for _ in range(sandbox.settings.sms_a_minute):
        await sender.send(PHONE, "T1", {"a": "b"})
    with pytest.raises(PlatformRefused) as refused:
        await sender.send(PHONE, "T1", {"a": "b"})
    assert refused.value.reason == "too_often"


async def test_a_wrong_secret_sends_nothing_and_is_ours_to_mend(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    late = datetime.now(UTC) - timedelta(hours=1)
    for sender in (
        aliyun(sandbox, http, secret="wrong"),
        aliyun(sandbox, http, now=lambda: late),
        tencent(sandbox, http, secret_key="wrong"),
        tencent(sandbox, http, now=late.timestamp),
    ):
        with pytest.raises(NotDone):
            await sender.send(PHONE, "T1", {"a": "b"})
    assert await taken(sandbox) == []


async def test_where_the_first_surely_sent_nothing_the_second_does(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    second = tencent(sandbox, http, templates={"T1": "1234567"})
    both = SmsInTurn([aliyun(sandbox, http), second])
    await both.send(PHONE, "T1", {"a": "b"})
    for code in ("isv.AMOUNT_NOT_ENOUGH", "isv.BUSINESS_LIMIT_CONTROL", "Throttling.User"):
        await break_endpoint(sandbox, "sms.aliyun", kind="error", errcode=code, times=1)
        await both.send(PHONE, "T1", {"a": "b"})
    expected = [("aliyun", PHONE, "T1")] + [("tencent", PHONE, "1234567")] * 3
    assert await taken(sandbox) == expected


@pytest.mark.parametrize("kind", ["lost", "rubbish", "http_500"])
async def test_what_may_have_been_sent_is_not_sent_by_the_second(
    sandbox: RunningSandbox, http: httpx.AsyncClient, kind: str
) -> None:
    both = SmsInTurn([aliyun(sandbox, http), tencent(sandbox, http)])
    await break_endpoint(sandbox, "sms.aliyun", kind=kind, times=1)
    with pytest.raises(PlatformUnavailable) as away:
        await both.send(PHONE, "T1", {"a": "b"})
    assert not isinstance(away.value, NotDone)
    assert len(await taken(sandbox)) == (kind == "lost")


async def test_who_wants_none_gets_none_by_the_second_either(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    both = SmsInTurn([aliyun(sandbox, http), tencent(sandbox, http)])
    code = "isv.BLACK_KEY_CONTROL_LIMIT"
    await break_endpoint(sandbox, "sms.aliyun", kind="error", errcode=code, times=1)
    with pytest.raises(PlatformRefused) as refused:
        await both.send(PHONE, "T1", {"a": "b"})
    assert refused.value.reason == "user_blocked"
    assert await taken(sandbox) == []


def test_a_city_with_one_account_sends_by_it_and_with_several_in_turn() -> None:
    account = {"aliyun_sms_key": "k", "aliyun_sms_secret": "s", "aliyun_sms_sign_name": "n"}
    other = {
        "tencent_sms_id": "i",
        "tencent_sms_secret": "s",
        "tencent_sms_app_id": "1",
        "tencent_sms_sign_name": "n",
    }
    http = httpx.AsyncClient()
    assert open_sms(http, read_as(SmsSettings)) is None
    assert isinstance(open_sms(http, read_as(SmsSettings, **account)), AliyunSms)
    assert isinstance(open_sms(http, read_as(SmsSettings, **account, **other)), SmsInTurn)
    wrong = read_as(SmsSettings, **other, tencent_sms_templates="T1")
    with pytest.raises(ValueError, match="NAME=number"):
        open_sms(http, wrong)
