"""No answer came: the platform's own word settles it, of that message and of no other."""

import asyncio
import time
from typing import Any
from uuid import UUID

from models import notice_delivery
from models.database import rows, transaction
from models.notice_delivery import Outcome
from models.notice_kinds import Urgency
from models.notice_receipts import Told, take
from models.notices import AttemptResult, NoticeState
from tests.conftest import Api
from tests.counters.halls import a_ticket, done
from tests.notices.post import Post, due_now, no_word_of, notices_of, openid_of
from tests.notices.test_channels import calls, texts, with_a_phone
from tests.people import Person

CALLED = "yiting_ticket_called"


async def attempts_of(who: Person) -> list[Any]:
    return await rows(
        "SELECT a.id, a.notice_id, a.result, a.message_no, n.tries FROM notice_attempt a"
        " JOIN notice n ON n.id = a.notice_id WHERE n.citizen_id = $1 ORDER BY a.id",
        UUID(who.session["citizen"]["id"]),
    )


async def states_of(who: Person) -> list[str]:
    """Of her notices, the oldest first."""
    return [one["state"] for one in await notices_of(who)][::-1]


async def allows_more(subject: str) -> None:
    """She allows as many as there are, and we know."""
    await rows("UPDATE subscription SET lasting = true WHERE subject = $1", subject)


async def wechat_tells(who: Person, number: str, *, age_s: float = 0, **more: Any) -> None:
    told = Told(
        message_no=number,
        subject=await openid_of(who),
        template_id=more.get("template", CALLED),
        at=int(time.time() - age_s),
        code=more.get("code"),
    )
    async with transaction() as tx:
        await take(tx, "wechat", [told])


async def a_call_without_an_answer(
    api: Api, hall: str, post: Post, *, kind: str = "lost", is_told: bool = True
) -> tuple[Person, str]:
    """Somebody is called, WeChat is told to tell her, and no answer comes; the counter, too."""
    lin, _ = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called", always=True)
    await post.until_allowed(lin, "ticket_called", 1)
    await allows_more(await openid_of(lin))
    if not is_told:
        (await post.sandbox.put("/_sandbox/wechat/push", json={"url": None})).raise_for_status()
    await post.fails("wechat.subscribe_send", kind=kind, times=1)
    counter = await calls(api, hall)
    await post.courier().once()
    return lin, counter


async def test_its_word_settles_what_was_not_answered_before_anybody_looks_again(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_call_without_an_answer(api, hall, post)
    deadline = time.monotonic() + 30
    while await states_of(lin) != ["sent"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    [attempt] = await attempts_of(lin)
    assert (attempt["result"], attempt["message_no"] is None) == ("accepted", False)
    assert len(await post.sent_to(lin)) == 1


async def test_until_its_word_should_have_come_nothing_is_sent_again(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_call_without_an_answer(api, hall, post, kind="http_500")
    for _ in range(3):
        await due_now(lin)
        await post.goes()
    assert await post.sent_to(lin) == []
    await no_word_of(lin)
    await post.goes()
    assert len(await post.sent_to(lin)) == 1
    assert await states_of(lin) == ["sent"]


async def test_a_word_that_comes_very_late_is_of_the_message_of_its_moment_and_of_no_other(
    api: Api, hall: str, post: Post
) -> None:
    lin, counter = await a_call_without_an_answer(api, hall, post, is_told=False)
    await no_word_of(lin)
    await post.goes()
    # It was taken twice, and WeChat has told of neither. Now she is to be told something else.
    clerk = await api.clerk(hall)
    await done(clerk, hall, counter, "recall")
    await rows(
        "UPDATE notice SET kind = 'ticket_called' WHERE citizen_id = $1",
        UUID(lin.session["citizen"]["id"]),
    )
    await post.fails("wechat.subscribe_send", kind="http_500", times=1)
    await post.courier().once()
    assert await states_of(lin) == ["sent", "waiting"]
    await wechat_tells(lin, f"late:{lin.session['citizen']['id']}", age_s=20 * 60)
    assert await states_of(lin) == ["sent", "waiting"]
    first, _, second = await attempts_of(lin)
    assert (first["result"], second["result"]) == ("accepted", "unsure")
    await wechat_tells(lin, f"now:{lin.session['citizen']['id']}")
    assert await states_of(lin) == ["sent", "sent"]


async def test_a_word_that_overtakes_its_answer_is_not_taken_back_by_a_courier_that_heard_none(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called", always=True)
    await post.until_allowed(lin, "ticket_called", 1)
    await calls(api, hall)
    _, [errand] = await post.courier()._take(10)
    number = f"fast:{errand.attempt_id}"
    await asyncio.gather(*(wechat_tells(lin, number) for _ in range(4)))
    await notice_delivery.finish(
        [
            Outcome(
                notice_id=errand.due.id,
                tries=errand.due.tries,
                state=NoticeState.WAITING,
                attempt_id=errand.attempt_id,
                result=AttemptResult.UNSURE,
            )
        ]
    )
    assert await states_of(lin) == ["sent"]
    [attempt] = await attempts_of(lin)
    assert (attempt["result"], attempt["message_no"]) == ("accepted", number)


async def test_its_word_that_it_did_not_arrive_sends_it_by_the_next_channel(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_call_without_an_answer(api, hall, post, is_told=False)
    await with_a_phone(api, post, lin, "13912340061")
    await wechat_tells(lin, f"not:{lin.session['citizen']['id']}", code="43101")
    await post.goes()
    assert len(await texts(post, "13912340061")) == 1
    assert await states_of(lin) == ["sent"]


async def test_a_vendor_that_repeats_our_reference_settles_a_text_that_was_not_answered(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await with_a_phone(api, post, lin, "13912340062")
    await post.fails("sms.messages", kind="http_500", times=1)
    await calls(api, hall)
    await post.courier().once()
    [attempt] = await attempts_of(lin)
    assert attempt["result"] == "unsure"
    async with transaction() as tx:
        await take(tx, "sms", [Told(message_no="biz-9", reference=attempt["notice_id"])])
    assert await states_of(lin) == ["sent"]
    await due_now(lin)
    await post.goes()
    assert await texts(post, "13912340062") == []


async def test_a_gateway_that_keeps_count_of_references_is_asked_again_and_sends_once(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await with_a_phone(api, post, lin, "13912340063")
    await post.fails("sms.messages", kind="lost", times=1)
    await calls(api, hall)
    await post.courier().once()
    await due_now(lin)
    await post.goes()
    assert await states_of(lin) == ["sent"]
    assert len(await texts(post, "13912340063")) == 1


async def test_alipay_tells_nothing_so_a_turn_is_told_again_and_a_matter_stands_in_the_inbox(
    api: Api, hall: str, post: Post
) -> None:
    persona = {"id_number": "441900199001010063", "name": "测试市民"}
    known = (await post.sandbox.post("/_sandbox/personas", json=persona)).json()
    signed_in = await api.http.post(
        "/api/v1/sessions/alipay", json={"auth_code": known["alipay_code"]}
    )
    wang = Person(api.http, signed_in.json()["access_token"], signed_in.json(), api.sandbox_url)
    allowed = {"accepted": [CALLED], "channel": "alipay"}
    assert (await wang.post("/me/subscriptions", allowed)).status_code == 200
    await allows_more(known["alipay_open_id"])
    await wang.take(hall, api.item(hall, "E"))
    await post.fails("alipay.open.app.mini.templatemessage.send", kind="lost", times=1)
    counter = await calls(api, hall)
    await post.courier().once()
    await due_now(wang)
    await post.goes()
    assert len(await post.sent(known["alipay_open_id"])) == 2
    await done(await api.clerk(hall), hall, counter, "recall")
    await rows(
        "UPDATE notice SET kind = 'ticket_called', urgency = $2"
        " WHERE citizen_id = $1 AND state = 'waiting'",
        UUID(wang.session["citizen"]["id"]),
        Urgency.MATTER,
    )
    await post.fails("alipay.open.app.mini.templatemessage.send", kind="lost", times=1)
    await post.courier(most=Urgency.CAMPAIGN).once()
    await due_now(wang)
    await post.goes_with_matters()
    assert len(await post.sent(known["alipay_open_id"])) == 3, await notices_of(wang)
    assert await states_of(wang) == ["sent", "kept"]
