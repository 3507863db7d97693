"""Audiences are read from what people let be used, column by column, as one person is judged."""

from collections.abc import Collection
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from models import certificates, consents, topics
from models.audiences import ReadsTooMuch, audience
from models.consents import Purpose
from models.database import rows, transaction
from scheduler.matching.rules import rule
from tests.conftest import Api
from tests.matching.people import consenting_person, known_as

TODAY = date(2026, 11, 23)


async def found(text: str, reads: Collection[str], among: Collection[UUID]) -> set[UUID]:
    """Whom of these an expression concerns; every other test's people are left out."""
    everybody = {
        one
        async for batch in audience(
            rule("try", text, reads), Purpose.SERVICES, today=TODAY, batch=2
        )
        for one in batch
    }
    return everybody & set(among)


async def test_an_age_is_counted_to_the_day(api: Api) -> None:
    turned, not_yet, leap, silent = [await consenting_person(["age"]) for _ in range(4)]
    await known_as(turned, born=date(1966, 11, 23))
    await known_as(not_yet, born=date(1966, 11, 24))
    await known_as(leap, born=date(1964, 2, 29))
    four = (turned, not_yet, leap, silent)
    assert await found("age >= 60", ["age"], four) == {turned, leap}
    assert await found("age < 60", ["age"], four) == {not_yet}
    assert await found("not (age < 60)", ["age"], four) == {turned, leap}


async def test_what_was_not_let_be_used_is_not_known_even_where_it_is_kept(api: Api) -> None:
    lets, lets_not = await consenting_person(["age", "topics"]), await consenting_person(["age"])
    for one in (lets, lets_not):
        await known_as(one, residence="dg-24", born=date(1950, 1, 1))
        async with transaction() as tx:
            await topics.follow(tx, one, ["retirement"])
    two = (lets, lets_not)
    assert await found('follows("retirement")', ["topics"], two) == {lets}
    assert await found('not follows("retirement")', ["topics"], two) == set()
    assert await found('residence != "dg-01"', ["residence"], two) == set()
    async with transaction() as tx:
        await consents.withdraw(tx, lets, Purpose.SERVICES)
    assert await found("", [], two) == {lets_not}


async def test_residence_family_and_company(api: Api) -> None:
    one, other = [await consenting_person(["residence", "family", "company"]) for _ in range(2)]
    await known_as(
        one, residence="dg-24", household=3, youngest_born=date(2026, 5, 24), has_company=True
    )
    await known_as(other, residence="dg-25", household=1, has_company=False)
    two = (one, other)
    reads = ["residence", "family", "company"]
    assert await found('residence in ("dg-24", "dg-26")', reads, two) == {one}
    assert await found('residence not in ("dg-24", "dg-26")', reads, two) == {other}
    assert await found("youngest_child_months == 5", reads, two) == {one}
    assert await found("household >= 3 and has_company", reads, two) == {one}
    assert await found("not has_company", reads, two) == {other}


async def test_certificates_by_the_day_they_expire(api: Api) -> None:
    soon, later, never = [await consenting_person(["certificates"]) for _ in range(3)]
    now = datetime.now(UTC)
    async with transaction() as tx:
        await certificates.hold(tx, soon, "id-card", date(2026, 12, 23), at=now)
        await certificates.hold(tx, later, "id-card", date(2027, 12, 23), at=now)
        await certificates.hold(tx, never, "id-card", None, at=now)
    three = (soon, later, never)
    reads = ["certificates"]
    assert await found('days_until("id-card") == 30', reads, three) == {soon}
    assert await found('days_until("id-card") > 90', reads, three) == {later}
    assert await found('holds("id-card")', reads, three) == set(three)
    assert await found('holds("passport")', reads, three) == set()


async def test_items_that_were_done_at_a_counter(api: Api) -> None:
    one, other = [await consenting_person(["items"]) for _ in range(2)]
    [item] = await rows("SELECT id, code FROM item ORDER BY code LIMIT 1")
    [hall] = await rows(
        "SELECT h.id, l.id AS line FROM hall h JOIN line l ON l.hall_id = h.id LIMIT 1"
    )
    await rows(
        "INSERT INTO ticket (id, hall_id, line_id, item_id, citizen_id, day, sequence, number,"
        " state, issued_at, rank_time, ended_at, version)"
        " VALUES (uuidv7(), $1, $2, $3, $4, '2026-11-13', 9001, 'Z901', 'finished',"
        " '2026-11-13T01:00Z', '2026-11-13T01:00Z', '2026-11-13T01:00Z', 1)",
        hall["id"],
        hall["line"],
        item["id"],
        one,
    )
    try:
        two = (one, other)
        assert await found(f'done("{item["code"]}")', ["items"], two) == {one}
        assert await found(f'not done("{item["code"]}")', ["items"], two) == {other}
        assert await found(f'days_since("{item["code"]}") == 10', ["items"], two) == {one}
    finally:
        await rows("DELETE FROM ticket WHERE citizen_id = $1", one)


async def test_batches_are_in_order_and_go_on_behind_any_id(api: Api) -> None:
    people = sorted([await consenting_person(["age"]) for _ in range(7)])
    everybody = rule("all", "", [])
    batches = [batch async for batch in audience(everybody, Purpose.SERVICES, today=TODAY, batch=3)]
    ids = [one for batch in batches for one in batch]
    assert all(0 < len(batch) <= 3 for batch in batches)
    assert ids == sorted(set(ids))
    rest = [
        one
        async for batch in audience(
            everybody, Purpose.SERVICES, today=TODAY, after=people[3], batch=3
        )
        for one in batch
    ]
    assert set(people) & set(rest) == set(people[4:])


async def test_a_purpose_reads_no_more_than_it_needs(api: Api) -> None:
    too_much = audience(rule("r", "age > 1", ["age"]), Purpose.DOCUMENTS, today=TODAY)
    with pytest.raises(ReadsTooMuch):
        await anext(too_much)
