"""A platform that hangs holds nobody up who is told by another."""

import asyncio
from uuid import UUID

from models.database import rows
from models.notice_kinds import NoticeKind
from server.notices.choosing import Route
from server.notices.resting import SILENCES, Rests
from server.notices.templates import Template
from tests.conftest import Api
from tests.counters.halls import a_ticket
from tests.notices.post import Post
from tests.people import Person


def way(channel: str) -> Route:
    template = Template(NoticeKind.TICKET_CALLED, channel, False, 0, "a", "", {}, "")
    return Route(channel, "somebody", template)


def test_after_some_silences_it_is_left_alone_and_an_answer_ends_that() -> None:
    rests, ways = Rests(), [way("wechat"), way("sms")]
    for _ in range(SILENCES - 1):
        rests.silent("wechat")
    assert (rests.left_s("wechat"), rests.first_awake(ways)) == (0.0, ways[0])
    rests.silent("wechat")
    assert rests.left_s("wechat") > 0
    assert rests.first_awake(ways) == ways[1]
    assert rests.first_awake(ways[:1]) == ways[0]
    rests.answered("wechat")
    assert (rests.left_s("wechat"), rests.first_awake(ways)) == (0.0, ways[0])


def test_an_answer_in_between_begins_the_count_anew() -> None:
    rests = Rests()
    for _ in range(SILENCES * 2):
        rests.silent("wechat")
        rests.answered("wechat")
    assert rests.left_s("wechat") == 0.0


async def told_now(api: Api, hall: str, who: Person, ticket_id: str) -> None:
    """That she is called, written straight down."""
    await rows(
        """
        INSERT INTO notice (id, event_key, citizen_id, kind, ticket_id, hall_id, facts, urgency,
                            happened_at, useful_until, state, try_after)
        VALUES (uuidv7(), 'hang:' || $1, $2, 'ticket_called', $3, $4,
                '{"number": "E001", "counter": "07"}', 0, $5,
                $5::timestamptz + interval '30 minutes', 'waiting', now())
        """,
        ticket_id,
        UUID(who.session["citizen"]["id"]),
        UUID(ticket_id),
        api.services.directory.hall(hall).id,
        api.services.clock.now(),
    )


async def test_while_wechat_hangs_an_urgent_word_goes_by_text_message(
    api: Api, hall: str, post: Post
) -> None:
    people = [await a_ticket(api, hall) for _ in range(SILENCES + 1)]
    for nth, (one, _) in enumerate(people):
        await post.allow(one, "ticket_called")
        await post.until_allowed(one, "ticket_called", 1)
        if nth == SILENCES:
            await with_a_phone(one, post, "13912340070")
    courier = post.courier()
    await post.fails("wechat.subscribe_send", kind="http_500")
    for one, ticket in people[:SILENCES]:
        await told_now(api, hall, one, ticket["id"])
    await courier.once()
    one, ticket = people[SILENCES]
    await told_now(api, hall, one, ticket["id"])
    await asyncio.wait_for(courier.once(), 30)
    # Not asked at all: she has her text message, and WeChat its permission.
    assert len(await post.sent_to(one)) == 0
    texts = [m for m in await post.sent("13912340070") if m["template"] == "YITING_TICKET_CALLED"]
    assert len(texts) == 1
    assert await post.allowed(one, "ticket_called") == 1


async def with_a_phone(who: Person, post: Post, number: str) -> None:
    """She lets her phone number be known."""
    assert (await who.post("/me/phone/otp", {"phone": number})).status_code == 200
    [*_, message] = await post.sent(number)
    otp = next(value for value in message["fields"].values() if value.isdigit())
    proven = await who.post("/me/phone", {"channel": "sms", "phone": number, "otp": otp})
    assert proven.status_code == 200, proven.text
