"""Phones ask twice: the same key gives the first answer again, and one effect."""

import hashlib
import json
from asyncio import gather
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from models.database import rows, transaction
from server.sessions.purging import purge
from tests.conftest import Api
from tests.people import Person


async def take(who: Person, hall: str, item: str, key: str) -> httpx.Response:
    return await who.post("/tickets", {"hall": hall, "item": item}, Idempotency_Key=key)


async def tickets_in(api: Api, hall: str) -> int:
    entry = api.services.directory.hall(hall)
    [found] = await rows("SELECT count(*) AS n FROM ticket WHERE hall_id = $1", entry.id)
    number: int = found["n"]
    return number


async def test_the_same_key_gets_the_first_answer_to_the_byte(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    first = await take(lin, hall, item, "k1")
    assert first.status_code == 201
    # Others come and go: what she was told at first is repeated, not told anew.
    await (await api.citizen()).take(hall, item)
    for _ in range(3):
        again = await take(lin, hall, item, "k1")
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["content-type"] == first.headers["content-type"]
    assert await tickets_in(api, hall) == 2


async def test_it_is_the_first_answer_even_when_the_hall_has_closed_since(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    api.turn_clock("2026-11-23T11:59:50+08:00")
    first = await take(lin, hall, item, "k1")
    try:
        api.turn_clock("2026-11-23T23:00:00+08:00")
        assert (await take(lin, hall, item, "k1")).content == first.content
        late = await take(lin, hall, api.item(hall, "E", nth=1), "k2")
        assert (late.status_code, late.json()["code"]) == (409, "hall_closed")
        api.turn_clock("2026-11-23T11:59:55+08:00")
        # What was refused never happened, so the key is still good.
        assert (await take(lin, hall, api.item(hall, "E", nth=1), "k2")).status_code == 201
    finally:
        api.turn_clock("2026-11-23T09:30:00+08:00")


async def test_it_is_the_first_answer_even_when_the_ticket_has_moved_on(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    first = await take(lin, hall, item, "k1")
    await lin.post(f"/tickets/{first.json()['id']}/cancel")
    again = await take(lin, hall, item, "k1")
    assert again.content == first.content
    assert await tickets_in(api, hall) == 1


async def test_twenty_at_once_with_one_key_make_one_ticket(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    replies = await gather(*(take(lin, hall, item, "race") for _ in range(20)))
    assert [reply.status_code for reply in replies] == [201] * 20
    assert len({reply.content for reply in replies}) == 1
    assert await tickets_in(api, hall) == 1


async def test_another_request_with_a_used_key_is_refused(api: Api, hall: str, lin: Person) -> None:
    item, other = api.item(hall, "E"), api.item(hall, "E", nth=1)
    assert (await take(lin, hall, item, "k1")).status_code == 201
    reply = await take(lin, hall, other, "k1")
    assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_key_reused")
    assert await tickets_in(api, hall) == 1
    assert (await take(lin, hall, other, "k2")).status_code == 201


async def test_two_requests_at_once_with_one_key_make_one_of_them(
    api: Api, hall: str, lin: Person
) -> None:
    both = (api.item(hall, "E"), api.item(hall, "E", nth=1))
    replies = await gather(*(take(lin, hall, item, "two") for item in both))
    assert sorted(reply.status_code for reply in replies) == [201, 422]


async def test_everybody_has_keys_of_her_own(api: Api, hall: str, lin: Person) -> None:
    item = api.item(hall, "E")
    chen = await api.citizen()
    hers, his = await take(lin, hall, item, "same"), await take(chen, hall, item, "same")
    assert (hers.status_code, his.status_code) == (201, 201)
    assert hers.json()["number"] != his.json()["number"]


async def test_a_refused_request_leaves_its_key_unused(api: Api, hall: str, lin: Person) -> None:
    item = api.item(hall, "E")
    api.turn_clock("2026-11-23T12:30:00+08:00")
    assert (await take(lin, hall, item, "k1")).json()["code"] == "hall_closed"
    api.turn_clock("2026-11-23T14:30:00+08:00")
    first = await take(lin, hall, item, "k1")
    assert first.status_code == 201
    # This one is refused inside the transaction that has already claimed the key.
    assert (await take(lin, hall, item, "k2")).json()["code"] == "already_in_line"
    await lin.post(f"/tickets/{first.json()['id']}/cancel")
    assert (await take(lin, hall, item, "k2")).status_code == 201


async def test_without_a_key_every_request_counts(api: Api, hall: str, lin: Person) -> None:
    item = api.item(hall, "E")
    assert (await lin.take(hall, item)).status_code == 201
    assert (await lin.take(hall, item)).status_code == 409


@pytest.mark.parametrize("key", [b"", b"x" * 129, "钥匙".encode(), b"\xff", b"a\tb"])
async def test_an_impossible_key_is_refused(api: Api, hall: str, lin: Person, key: bytes) -> None:
    reply = await lin.http.post(
        "/api/v1/tickets",
        json={"hall": hall, "item": api.item(hall, "E")},
        headers={b"Authorization": f"Bearer {lin.token}".encode(), b"Idempotency-Key": key},
    )
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert "Idempotency-Key" in reply.json()["detail"]
    assert "errors" not in reply.json()  # no field of the body is wrong
    assert await tickets_in(api, hall) == 0


@pytest.mark.parametrize("key", ["x" * 128, "a b", "'; DROP TABLE ticket; --", "0"])
async def test_any_printable_key_will_do(api: Api, hall: str, lin: Person, key: str) -> None:
    item = api.item(hall, "E")
    first = await take(lin, hall, item, key)
    assert first.status_code == 201
    assert (await take(lin, hall, item, key)).content == first.content


async def test_answers_are_kept_for_a_day(api: Api, hall: str, lin: Person) -> None:
    item = api.item(hall, "E")
    first = await take(lin, hall, item, "old")
    await purge()
    assert (await take(lin, hall, item, "old")).content == first.content
    async with transaction() as tx:
        await tx.run(
            "UPDATE answer SET created_at = $1 WHERE key = 'old'",
            datetime.now(UTC) - timedelta(hours=25),
        )
    await purge()
    assert (await take(lin, hall, item, "old")).json()["code"] == "already_in_line"


async def test_what_is_stored_of_a_request_cannot_be_guessed_without_our_keys(
    api: Api, hall: str, lin: Person
) -> None:
    body = json.dumps({"hall": hall, "item": api.item(hall, "E")}).encode()
    headers = {**lin.headers, "Idempotency-Key": "k1", "Content-Type": "application/json"}
    reply = await api.http.post("/api/v1/tickets", content=body, headers=headers)
    assert reply.status_code == 201
    guess = hashlib.sha256(b"\0".join([b"POST", b"/api/v1/tickets", body])).hexdigest()
    assert await rows("SELECT 1 FROM answer WHERE fingerprint = $1", guess) == []
    again = await api.http.post("/api/v1/tickets", content=body, headers=headers)
    assert again.content == reply.content
