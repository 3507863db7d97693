"""Texts and Alipay while workers die and answers are lost: what each lets us know, holds."""

import asyncio
import random
import time
from collections import Counter
from typing import Any, Final
from uuid import UUID

from models.database import rows
from models.knowing import PHONE
from models.notice_kinds import Urgency
from tests.conftest import Api
from tests.notices.post import Post, Spawn
from tests.people import Person

ALIPAY: Final = "alipay.open.app.mini.templatemessage.send"
# Each call in five meets one of these.
FAULTS: Final[dict[str, list[dict[str, Any]]]] = {
    "sms.messages": [
        {"kind": "lost"},
        {"kind": "http_500"},
        {"kind": "rubbish"},
        {"kind": "error", "errcode": "BUSY"},
    ],
    ALIPAY: [
        {"kind": "lost"},
        {"kind": "http_500"},
        {"kind": "rubbish"},
        {"kind": "error", "errcode": "isp.unknow-error"},
    ],
}

# Who waits longer than any lease waits for a platform that was away.
NO_LONG_PAUSE: Final = """
    UPDATE notice SET try_after = now()
    WHERE event_key LIKE 'channels:%' AND state = 'waiting'
      AND try_after > now() + interval '13 seconds'
"""


async def by_text(api: Api, nth: int) -> UUID:
    """Somebody whom only text messages reach."""
    who = UUID((await api.citizen()).session["citizen"]["id"])
    phone = api.services.sealer.seal(f"139555{nth:05}", field=PHONE, owner=who)
    await rows("UPDATE citizen SET phone = $2 WHERE id = $1", who, phone)
    return who


async def by_alipay(api: Api, post: Post, nth: int) -> UUID:
    """Somebody who lets Alipay send as many as there are."""
    persona = {"id_number": f"44190019900101{nth:04}", "name": "测试市民"}
    known = (await post.sandbox.post("/_sandbox/personas", json=persona)).json()
    signed_in = await api.http.post(
        "/api/v1/sessions/alipay", json={"auth_code": known["alipay_code"]}
    )
    who = Person(api.http, signed_in.json()["access_token"], signed_in.json(), api.sandbox_url)
    allowed = {"accepted": ["yiting_ticket_called"], "channel": "alipay"}
    assert (await who.post("/me/subscriptions", allowed)).status_code == 200
    await rows(
        "UPDATE subscription SET lasting = true WHERE platform = 'alipay' AND subject = $1",
        known["alipay_open_id"],
    )
    return UUID(who.session["citizen"]["id"])


async def write(api: Api, people: list[UUID], many: int, *, urgency: int, of: str) -> None:
    await rows(
        """
        INSERT INTO notice (id, event_key, citizen_id, kind, hall_id, facts, urgency, happened_at,
                            useful_until, state, try_after)
        SELECT uuidv7(), 'channels:' || $1 || ':' || nth, whom[1 + nth % cardinality(whom)],
               'ticket_called', $2, jsonb_build_object('number', $1 || nth, 'counter', '03'), $3,
               $4::timestamptz, $4::timestamptz + interval '2 hours', 'waiting', now()
        FROM generate_series(0, $5 - 1) nth, (SELECT $6::uuid[] AS whom) people
        """,
        of,
        api.services.directory.hall("dg-01").id,
        urgency,
        api.services.clock.now(),
        many,
        people,
    )


async def found(of: str) -> dict[str, tuple[str, str | None]]:
    """How each stands, and why, by its number."""
    listed = await rows(
        "SELECT facts->>'number' AS number, state, fault FROM notice WHERE event_key LIKE $1",
        f"channels:{of}:%",
    )
    return {row["number"]: (row["state"], row["fault"]) for row in listed}


async def taken(post: Post, platform: str, field: str, of: str) -> Counter[str]:
    """How often the platform took each, by its number."""
    sent = (await post.sandbox.get("/_sandbox/sent", timeout=120)).json()["data"]
    numbers = (one["fields"].get(field, "") for one in sent if one["platform"] == platform)
    return Counter(number for number in numbers if number.startswith(of))


async def test_texts_are_told_once_and_matters_by_alipay_at_most_once(
    api: Api, post: Post, spawn: Spawn
) -> None:
    texts = [await by_text(api, nth) for nth in range(20)]
    alipay = [await by_alipay(api, post, nth) for nth in range(20)]
    await write(api, texts, 40, urgency=Urgency.TURN, of="text")
    await write(api, alipay, 40, urgency=Urgency.MATTER, of="ali")
    dice, killed, worker = random.Random(8), False, spawn()
    deadline = time.monotonic() + 200
    while waiting := [
        state
        for state, _ in [*(await found("text")).values(), *(await found("ali")).values()]
        if state == "waiting"
    ]:
        assert time.monotonic() < deadline, len(waiting)
        await rows(NO_LONG_PAUSE)
        for endpoint, faults in FAULTS.items():
            await post.fails(endpoint, every=5, **dice.choice(faults))
        if len(waiting) < 60 and not killed:
            worker.kill()
            worker, killed = spawn(), True
        await asyncio.sleep(0.2)
    # The gateway knows our references: whatever was lost or killed, each came once.
    numbers = {f"text{nth}" for nth in range(40)}
    assert await taken(post, "sms", "number", "text") == dict.fromkeys(numbers, 1)
    assert set((await found("text")).values()) == {("sent", None)}
    # Alipay tells nothing: what it may have taken is not sent again, and stands in the inbox.
    often = await taken(post, "alipay", "keyword1", "ali")
    states = await found("ali")
    assert set(often.values()) == {1}
    assert {state for number, (state, _) in states.items() if number not in often} <= {"kept"}
    assert set(states.values()) == {("sent", None), ("kept", "unsure")}
    assert killed
