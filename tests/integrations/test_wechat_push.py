"""WeChat's message push: the published vectors, and what is forged, stale or foreign."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from integrations.ports_payment import NotGenuine
from integrations.wechat.push import WeChatPush
from integrations.wechat.push_crypto import PushKey, signature

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
APP, TOKEN = "wx49f0ab532d5d035a", "123456"
KEY = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"
NOW = 1_795_397_400


def vector(name: str) -> dict[str, Any]:
    file = VECTORS / f"{name}.json"
    if not file.is_file():
        pytest.skip(f"the shared test vectors are not beside this checkout: {file}")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def reader(key: str | None = KEY, *, now: float = NOW) -> WeChatPush:
    return WeChatPush(APP, TOKEN, key, now=lambda: now)


def event(**more: Any) -> bytes:
    said = {
        "FromUserName": "oPerson",
        "CreateTime": NOW,
        "MsgType": "event",
        "Event": "subscribe_msg_popup_event",
        "List": [{"TemplateId": "t1", "SubscribeStatusString": "accept", "PopupScene": "0"}],
    }
    return json.dumps(said | more).encode()


def sealed(message: bytes, *, app_id: str = APP, stamp: int = NOW) -> tuple[dict[str, str], bytes]:
    text = PushKey(KEY).seal(message, app_id=app_id, random=b"0123456789abcdef")
    query = {"timestamp": str(stamp), "nonce": "n"}
    query["msg_signature"] = signature(TOKEN, str(stamp), "n", text)
    return query, json.dumps({"Encrypt": text}).encode()


def plainly(stamp: int = NOW) -> dict[str, str]:
    signed = signature(TOKEN, str(stamp), "n")
    return {"timestamp": str(stamp), "nonce": "n", "signature": signed}


def reason(push: WeChatPush, query: dict[str, str], body: bytes) -> str:
    with pytest.raises(NotGenuine) as fault:
        push.read(query, body)
    return fault.value.reason


def test_the_address_is_checked_as_published() -> None:
    published = vector("message_push_signature")
    push = WeChatPush(APP, published["token"], now=lambda: float(published["timestamp"]))
    query = {name: published[name] for name in ("timestamp", "nonce")}
    query |= {"signature": published["expected"]["signature"], "echostr": "hello"}
    assert push.answer_to_check(query) == "hello"
    with pytest.raises(NotGenuine):
        push.answer_to_check(query | {"nonce": "another"})


@pytest.mark.parametrize("name", ["message_push_aes_wechatpy", "message_push_aes_wxjava"])
def test_published_messages_are_opened_and_sealed(name: str) -> None:
    published = vector(name)
    key, app_id = PushKey(published["encoding_aes_key"]), published["receiver_id"]
    for each in published["decrypt"]:
        opened = key.open(each["encrypt"], app_id=app_id).decode()
        assert all(part in opened for part in each["expected_contains"])
        parts = (published["token"], each["timestamp"], each["nonce"], each["encrypt"])
        assert signature(*parts) == each["msg_signature"]
    for each in published["encrypt"]:
        message, random = each["message"].encode(), each["random16"].encode()
        text = key.seal(message, app_id=app_id, random=random)
        assert text == each["expected_encrypt"]
        assert key.open(text, app_id=app_id) == message


def test_a_sealed_event_says_what_she_allows() -> None:
    [said] = reader().read(*sealed(event()))
    assert (said.said, said.subject, said.template_id) == ("allowed", "oPerson", "t1")
    alone = {"TemplateId": "t1", "SubscribeStatusString": "reject"}
    [said] = reader().read(*sealed(event(Event="subscribe_msg_change_event", List=alone)))
    assert said.said == "refused"


def test_a_plain_event_says_the_same_in_xml() -> None:
    body = (
        "<xml><FromUserName><![CDATA[oPerson]]></FromUserName><CreateTime>1</CreateTime>"
        "<MsgType>event</MsgType><Event>subscribe_msg_sent_event</Event>"
        "<SubscribeMsgSentEvent><List><TemplateId>t1</TemplateId><MsgID>17</MsgID>"
        "<ErrorCode>0</ErrorCode></List><List><TemplateId>t2</TemplateId><MsgID>18</MsgID>"
        "<ErrorCode>43101</ErrorCode></List></SubscribeMsgSentEvent></xml>"
    )
    told = reader(None).read(plainly(), body.encode())
    assert [(each.said, each.message_no, each.code) for each in told] == [
        ("arrived", "17", None),
        ("not_arrived", "18", "43101"),
    ]


def test_what_is_not_about_messages_is_of_no_concern() -> None:
    assert reader().read(*sealed(event(Event="user_enter"))) == []
    assert reader().read(*sealed(event(MsgType="text"))) == []


def test_with_a_key_a_plain_body_does_not_count() -> None:
    assert reason(reader(), plainly(), event()) == "malformed"


def test_what_is_forged_stale_or_foreign_is_refused() -> None:
    query, body = sealed(event())
    assert reason(reader(), query | {"msg_signature": "0" * 40}, body) == "wrong_signature"
    assert reason(reader(), query | {"msg_signature": "字"}, body) == "wrong_signature"
    assert reason(reader(), query | {"nonce": "m"}, body) == "wrong_signature"
    assert reason(reader(now=NOW + 301), query, body) == "stale"
    assert reason(reader(now=NOW - 301), query, body) == "stale"
    assert reason(reader(), *sealed(event(), app_id="wxsomebodyelse")) == "foreign_app"
    assert reason(reader(None), plainly() | {"signature": "x"}, event()) == "wrong_signature"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAAA",
        "not base64!",
        base64.b64encode(b"0" * 32).decode(),
        base64.b64encode(b"").decode(),
    ],
)
def test_what_does_not_open_is_refused(text: str) -> None:
    query = {"timestamp": str(NOW), "nonce": "n"}
    query["msg_signature"] = signature(TOKEN, str(NOW), "n", text)
    body = json.dumps({"Encrypt": text}).encode()
    assert reason(reader(), query, body) in {"sealed_wrongly", "foreign_app"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"<xml>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><xml><MsgType>&a;</MsgType></xml>",
        event(List=[]),
        event(List="x"),
        event(List=[1]),
        event(List=[{"SubscribeStatusString": "accept"}]),
        event(FromUserName=""),
        event(FromUserName=7),
    ],
)
def test_what_is_malformed_is_refused(body: bytes) -> None:
    assert reason(reader(None), plainly(), body) == "malformed"


def test_what_is_too_big_is_refused() -> None:
    assert reason(reader(None), plainly(), b"x" * 70_000) == "too_big"


@pytest.mark.parametrize("key", ["", "short", "!" * 43, "A" * 42])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(ValueError):
        PushKey(key)
