"""Who is called is told so: once, by one channel, and in her inbox."""

import asyncio
from typing import Any
from uuid import UUID

from models.database import rows
from models.notice_kinds import RULES, NoticeKind
from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.notices.post import Post, due_now, notices_of
from tests.people import Person


async def called(api: Api, hall: str, line: str = "E") -> tuple[Person, dict[str, Any], str]:
    """Somebody who waited and is called to a counter."""
    lin, ticket = await a_ticket(api, hall, line)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, line)
    await done(clerk, hall, counter, "call-next")
    return lin, ticket, counter


async def test_who_is_called_hears_of_it_on_wechat_and_in_her_inbox(
    api: Api, hall: str, post: Post
) -> None:
    lin, ticket = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    [before] = await notices_of(lin)
    assert (before["state"], before["sent_by"], before["read_at"]) == ("waiting", None, None)
    await post.goes()
    [message] = await post.sent_to(lin)
    assert message["template"] == "yiting_ticket_called"
    assert message["fields"]["character_string1"] == ticket["number"]
    assert counter in message["fields"]["thing3"]
    [after] = await notices_of(lin)
    assert (after["state"], after["sent_by"]) == ("sent", "wechat")
    assert ticket["number"] in after["body"]
    assert after["ticket_id"] == ticket["id"]
    await post.goes()
    assert len(await post.sent_to(lin)) == 1
    await post.until_allowed(lin, "ticket_called", 0)


async def test_many_couriers_tell_her_once(api: Api, hall: str, post: Post) -> None:
    lin, _ = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called", always=True)
    await post.until_allowed(lin, "ticket_called", 1)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    await asyncio.gather(*(post.courier().once() for _ in range(6)))
    assert len(await post.sent_to(lin)) == 1


async def test_calling_costs_one_statement_and_writes_the_notice_with_it(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    reply, statements = await api.statements(clerk.at(hall, counter, "call-next"))
    assert (reply.status_code, statements) == (200, 1)
    assert [notice["kind"] for notice in await notices_of(lin)] == ["ticket_called"]


async def test_who_allows_nothing_finds_it_in_her_inbox_alone(
    api: Api, hall: str, post: Post
) -> None:
    lin, _, _ = await called(api, hall)
    await post.goes()
    [notice] = await notices_of(lin)
    assert (notice["state"], notice["sent_by"]) == ("kept", None)
    assert await post.sent_to(lin) == []


async def test_a_call_that_was_taken_back_is_not_told(api: Api, hall: str, post: Post) -> None:
    lin, _ = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    await done(clerk, hall, counter, "undo")
    await post.goes()
    assert await post.sent_to(lin) == []
    assert [notice["state"] for notice in await notices_of(lin)] == ["expired"]


async def test_who_is_served_already_is_not_told_to_come(api: Api, hall: str, post: Post) -> None:
    lin, _ = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    await done(clerk, hall, counter, "start")
    await post.goes()
    assert await post.sent_to(lin) == []
    assert [notice["state"] for notice in await notices_of(lin)] == ["expired"]


async def test_what_is_too_old_is_not_told(api: Api, hall: str, post: Post) -> None:
    lin, _, _ = await called(api, hall)
    api.later(minutes=31)
    await post.goes()
    assert [notice["state"] for notice in await notices_of(lin)] == ["expired"]


async def test_calling_again_and_missing_are_told_each_once(
    api: Api, hall: str, post: Post
) -> None:
    lin, _, counter = await called(api, hall)
    clerk = await api.clerk(hall)
    await done(clerk, hall, counter, "recall")
    await done(clerk, hall, counter, "recall")
    await done(clerk, hall, counter, "miss")
    kinds = [notice["kind"] for notice in await notices_of(lin)]
    assert kinds == ["ticket_missed", "ticket_recalled", "ticket_recalled", "ticket_called"]
    await post.goes()
    states = [notice["state"] for notice in await notices_of(lin)]
    assert states == ["kept", "expired", "expired", "expired"]


async def test_the_triggers_times_are_those_of_the_kinds(api: Api, hall: str, post: Post) -> None:
    lin, _, counter = await called(api, hall)
    clerk = await api.clerk(hall)
    for action in ("recall", "miss"):
        await done(clerk, hall, counter, action)
    written = await rows(
        "SELECT kind, useful_until - happened_at AS useful, while_state, urgency, facts"
        " FROM notice WHERE citizen_id = $1",
        UUID(lin.session["citizen"]["id"]),
    )
    assert len(written) == 3
    for row in written:
        rule = RULES[NoticeKind(row["kind"])]
        assert (row["useful"], row["while_state"]) == (rule.useful, rule.while_state)
        assert row["urgency"] == rule.urgency


async def test_a_platform_that_is_away_is_asked_again_and_nothing_is_lost(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    await post.fails("wechat.subscribe_send", errcode=45009)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    await post.goes()
    assert [notice["state"] for notice in await notices_of(lin)] == ["waiting"]
    assert await post.allowed(lin, "ticket_called") == 1
    await post.works_again()
    await due_now(lin)
    await post.goes()
    assert len(await post.sent_to(lin)) == 1
    assert await post.allowed(lin, "ticket_called") == 0


async def test_what_was_sent_though_no_answer_came_is_not_sent_again(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called", always=True)
    await post.until_allowed(lin, "ticket_called", 1)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    courier = post.courier()
    _, [errand] = await courier._take(10)
    # It is sent, and the courier dies before it can say so.
    await courier._messengers["wechat"].send(courier._message(errand))
    [message] = await post.sent_to(lin)
    await _until_receipt(message["template"])
    await due_now(lin)
    await post.goes()
    assert len(await post.sent_to(lin)) == 1
    [notice] = await notices_of(lin)
    assert (notice["state"], notice["sent_by"]) == ("sent", "wechat")


async def _until_receipt(template: str) -> None:
    recent = (
        "SELECT 1 FROM notice_receipt WHERE template_id = $1"
        " AND received_at > now() - interval '9 seconds'"
    )
    async with asyncio.timeout(30):
        while not await rows(recent, template):  # noqa: ASYNC110 another process tells
            await asyncio.sleep(0.02)
