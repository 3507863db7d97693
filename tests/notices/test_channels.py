"""One channel tells her: the first of hers that can."""

from typing import Any
from uuid import UUID

from models.database import rows
from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.notices.post import Post, due_now, no_word_of, notices_of
from tests.people import Person


async def calls(api: Api, hall: str) -> str:
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    return counter


async def with_a_phone(api: Api, post: Post, lin: Person, number: str) -> None:
    """She lets her phone number be known."""
    sent = await lin.post("/me/phone/otp", {"phone": number})
    assert sent.status_code == 200, sent.text
    [*_, message] = await post.sent(number)
    otp = next(value for value in message["fields"].values() if value.isdigit())
    proven = await lin.post("/me/phone", {"channel": "sms", "phone": number, "otp": otp})
    assert proven.status_code == 200, proven.text


async def texts(post: Post, number: str) -> list[dict[str, Any]]:
    return [one for one in await post.sent(number) if one["template"].startswith("YITING_")]


async def test_where_wechat_is_not_wanted_a_text_message_comes_and_nothing_else(
    api: Api, hall: str, post: Post
) -> None:
    lin, ticket = await a_ticket(api, hall)
    await with_a_phone(api, post, lin, "13912340001")
    await post.allow(lin, "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    await post.fails("wechat.subscribe_send", errcode=43101)
    counter = await calls(api, hall)
    await post.goes()
    [message] = await texts(post, "13912340001")
    assert message["fields"]["number"] == ticket["number"]
    assert message["fields"]["counter"] == counter
    [notice] = await notices_of(lin)
    assert (notice["state"], notice["sent_by"]) == ("sent", "sms")
    # 43101 says that she allows no more, whatever we believed.
    assert await post.allowed(lin, "ticket_called") == 0


async def test_a_wechat_that_is_busy_is_passed_over_for_what_is_urgent(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await with_a_phone(api, post, lin, "13912340002")
    await post.allow(lin, "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    await post.fails("wechat.subscribe_send", errcode=45009)
    await calls(api, hall)
    await post.goes()
    assert len(await texts(post, "13912340002")) == 1
    assert await post.allowed(lin, "ticket_called") == 1


async def test_what_nobody_answered_is_not_sent_by_another_channel(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await with_a_phone(api, post, lin, "13912340003")
    await post.allow(lin, "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    await post.fails("wechat.subscribe_send", kind="rubbish", times=1)
    await calls(api, hall)
    await post.courier().once()
    assert await texts(post, "13912340003") == []
    await due_now(lin)
    await post.goes()
    assert await post.sent_to(lin) == []
    await no_word_of(lin)
    await post.goes()
    assert len(await post.sent_to(lin)) == 1
    assert await texts(post, "13912340003") == []


async def test_her_order_of_channels_counts_and_what_she_muted_is_not_sent(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await with_a_phone(api, post, lin, "13912340004")
    await post.allow(lin, "ticket_called", "ticket_recalled")
    await post.until_allowed(lin, "ticket_called", 1)
    wish = {"channels": ["sms", "wechat"], "muted": ["ticket_recalled"], "language": "en"}
    assert (await lin.put("/me/notice-preferences", wish)).status_code == 200
    counter = await calls(api, hall)
    await post.goes()
    [message] = await texts(post, "13912340004")
    assert message["template"] == "YITING_TICKET_CALLED_EN"
    clerk = await api.clerk(hall)
    await done(clerk, hall, counter, "recall")
    await post.goes()
    [recalled, _] = await notices_of(lin)
    assert (recalled["state"], recalled["sent_by"]) == ("kept", None)
    assert await post.sent_to(lin) == []


async def test_who_comes_by_alipay_is_told_by_alipay(api: Api, hall: str, post: Post) -> None:
    persona = {"id_number": "441900199001010099", "name": "测试市民"}
    known = (await post.sandbox.post("/_sandbox/personas", json=persona)).json()
    signed_in = await api.http.post(
        "/api/v1/sessions/alipay", json={"auth_code": known["alipay_code"]}
    )
    wang = Person(api.http, signed_in.json()["access_token"], signed_in.json(), api.sandbox_url)
    allowed = {"accepted": ["yiting_ticket_called"], "channel": "alipay"}
    assert (await wang.post("/me/subscriptions", allowed)).status_code == 200
    ticket = (await wang.take(hall, api.item(hall, "E"))).json()
    await calls(api, hall)
    await post.goes()
    [message] = await post.sent(known["alipay_open_id"])
    assert (message["platform"], message["kind"]) == ("alipay", "template")
    assert message["fields"]["keyword1"] == ticket["number"]
    [notice] = await notices_of(wang)
    assert notice["sent_by"] == "alipay"


async def test_a_template_that_the_platform_does_not_know_is_a_dead_letter_until_it_is_mended(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    await post.fails("wechat.subscribe_send", errcode=40037)
    await calls(api, hall)
    await post.goes()
    [notice] = await notices_of(lin)
    assert notice["state"] == "dead"
    admin = await api.colleague("admin")
    letters = (await admin.get("/admin/dead-notices")).json()["data"]
    letter = next(each for each in letters if each["id"] == notice["id"])
    assert letter["fault"] == "message_invalid:40037"
    assert [each["channel"] for each in letter["attempts"]] == ["wechat"]
    assert lin.session["citizen"]["id"] not in str(letters)
    await post.works_again()
    path = f"/admin/dead-notices/{notice['id']}/retry"
    assert (await lin.post(path)).status_code == 403
    assert (await admin.post(path)).status_code == 204
    assert (await admin.post(path)).json()["code"] == "wrong_state"
    await post.goes()
    assert len(await post.sent_to(lin)) == 1
    unknown = await admin.post(f"/admin/dead-notices/{ticketless()}/retry")
    assert unknown.status_code == 404


def ticketless() -> str:
    return "01a2056d-35c4-78e0-bb9c-c9b34a9c83fd"


async def test_what_her_app_and_wechat_both_tell_she_allowed_once(api: Api, post: Post) -> None:
    lin = await api.citizen()
    accepted = {"accepted": ["yiting_turn_near"]}
    assert (await lin.post("/me/subscriptions", accepted)).status_code == 200
    await post.allow(lin, "turn_near", "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    assert await post.allowed(lin, "turn_near") == 1
    await post.allow(lin, "turn_near", answer="reject", where="settings")
    await post.until_allowed(lin, "turn_near", 0)


async def test_only_templates_of_ours_and_platforms_of_hers_can_be_allowed(api: Api) -> None:
    lin = await api.citizen()
    strange = await lin.post("/me/subscriptions", {"accepted": ["somebody_elses"]})
    assert (strange.status_code, strange.json()["code"]) == (422, "template_unknown")
    elsewhere = {"accepted": ["yiting_turn_near"], "channel": "alipay"}
    refused = await lin.post("/me/subscriptions", elsewhere)
    assert (refused.status_code, refused.json()["code"]) == (409, "channel_not_linked")


async def test_who_asks_is_shown_what_she_was_told_and_who_is_erased_leaves_none_of_it(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    counter = await calls(api, hall)
    told = (await lin.get("/me/export")).json()
    assert [each["kind"] for each in told["notices"]] == ["ticket_called"]
    clerk = await api.clerk(hall)
    await done(clerk, hall, counter, "miss")
    assert (await lin.delete("/me")).status_code == 204
    kept = await rows(
        "SELECT 1 FROM notice WHERE citizen_id = $1", UUID(lin.session["citizen"]["id"])
    )
    assert kept == []
