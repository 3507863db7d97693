"""Templates: shipped, saved in versions, checked, previewed; and the doors they stand behind."""

import time
from typing import Any

import httpx

from models.notice_kinds import NoticeKind
from server.notices.template_views import TemplateGiven, faults_of
from server.notices.templates import INBOX, shipped
from tests.conftest import Api
from tests.people import Person

CALLED = "/admin/notice-templates/ticket_called/wechat/zh"
GOOD = {
    "template_id": "yiting_ticket_called",
    "page": "pages/ticket/index?id={ticket}",
    "fields": {"character_string1": "{number}", "thing2": "请到{counter}号窗口"},
}


async def admin(api: Api) -> Person:
    return await api.colleague("admin")


async def test_every_kind_has_words_for_the_inbox_in_both_languages_and_all_are_taken(
    api: Api,
) -> None:
    found = shipped()
    for kind in NoticeKind:
        for english in (False, True):
            assert (kind.value, INBOX, english) in found
    for (kind_name, channel, _), each in found.items():
        given = TemplateGiven(dict(each.patterns), each.template_id, each.page, each.text)
        messenger = api.services.platforms.messengers.get(channel)
        assert faults_of(NoticeKind(kind_name), channel, given, messenger) == []


async def test_a_saved_template_is_the_next_version_and_counts_at_once(api: Api) -> None:
    boss = await admin(api)
    saved = await boss.put(CALLED, GOOD)
    assert saved.status_code == 200, saved.text
    again = await boss.put(CALLED, GOOD)
    assert again.json()["version"] == saved.json()["version"] + 1
    versions = (await boss.get(f"{CALLED}/versions")).json()["data"]
    assert [each["version"] for each in versions][-1] == 0
    assert [each["version"] for each in versions] == sorted(
        (each["version"] for each in versions), reverse=True
    )
    listed = (await boss.get("/admin/notice-templates")).json()["data"]
    [mine] = [
        each
        for each in listed
        if (each["kind"], each["channel"], each["language"]) == ("ticket_called", "wechat", "zh")
    ]
    assert mine["version"] == again.json()["version"]
    original = versions[-1]
    back = {name: original[name] for name in ("template_id", "page", "fields", "text")}
    assert (await boss.put(CALLED, back)).status_code == 200


async def test_what_is_wrong_with_a_template_is_told_by_its_field(api: Api) -> None:
    boss = await admin(api)
    for change, pointer in (
        ({"fields": {"thing1": "{id_number}"}}, "/fields/thing1"),
        ({"fields": {"thing1": "一" * 21}}, "/fields/thing1"),
        ({"fields": {"wish1": "x"}}, "/fields/wish1"),
        ({"page": "pages/{number}"}, "/page"),
    ):
        refused = await boss.put(CALLED, GOOD | change)
        assert refused.status_code == 422, refused.text
        assert pointer in [each["pointer"] for each in refused.json()["errors"]]
    inbox = "/admin/notice-templates/ticket_called/inbox/zh"
    assert (await boss.put(inbox, {"fields": {"title": "x"}})).status_code == 422
    sms = "/admin/notice-templates/ticket_called/sms/zh"
    unsigned = {"template_id": "S1", "fields": {"number": "{number}"}, "text": "没有签名"}
    assert (await boss.put(sms, unsigned)).json()["errors"][0]["pointer"] == "/text"
    for path in ("nothing/wechat/zh", "ticket_called/pigeon/zh", "ticket_called/wechat/fr"):
        assert (await boss.put(f"/admin/notice-templates/{path}", GOOD)).status_code == 404


async def test_a_preview_is_cut_as_the_platform_wants_it_and_saves_nothing(api: Api) -> None:
    boss = await admin(api)
    before = (await boss.get(f"{CALLED}/versions")).json()["data"]
    wide = GOOD | {"fields": {"thing1": "{hall}{item}", "time2": "{time}"}}
    shown = (await boss.post(f"{CALLED}/preview", wide)).json()
    assert len(shown["fields"]["thing1"]) == 20
    assert shown["fields"]["thing1"].endswith("…")
    unfit = GOOD | {"fields": {"number1": "{hall}"}}
    refused = await boss.post(f"{CALLED}/preview", unfit)
    assert refused.json()["errors"][0]["pointer"] == "/fields/number1"
    assert (await boss.get(f"{CALLED}/versions")).json()["data"] == before


async def test_templates_are_for_administrators(api: Api) -> None:
    lin = await api.citizen()
    clerk = await api.clerk("dg-01")
    for who in (lin, clerk):
        assert (await who.get("/admin/notice-templates")).status_code == 403
        assert (await who.put(CALLED, GOOD)).status_code == 403


async def test_forged_events_change_nothing_and_are_turned_away(api: Api) -> None:
    body = b'{"MsgType":"event","Event":"subscribe_msg_popup_event","FromUserName":"o"}'
    replies = [
        await push(api, body, timestamp=str(int(time.time())), nonce="n", signature="0" * 40),
        await push(api, body),
        await push(api, b"\xff", msg_signature="x"),
        await api.http.get("/callbacks/wechat/events", params={"echostr": "hello"}),
    ]
    assert [reply.status_code for reply in replies] == [403] * 4


async def push(api: Api, body: bytes, **query: Any) -> httpx.Response:
    return await api.http.post("/callbacks/wechat/events", params=query, content=body)
