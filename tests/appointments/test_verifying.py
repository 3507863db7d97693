"""`verify` finds whatever does not hold between slots, places, appointments and who waits."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from models.agreeing_bookings import BROKEN_BOOKINGS
from models.database import transaction
from models.faults import WORDS
from models.verifying import Scope, verify_in
from tests.appointments.days import TUESDAY, a_bookable_hall, an_item, at, booked, tend
from tests.conftest import Api

# What is done to a booked appointment ($1) or an offered one ($2), and what it is then called.
DAMAGES: dict[str, Sequence[str]] = {
    "slot_count": ["UPDATE slot SET taken = taken - 1 WHERE id = ({place})"],
    "slot_overfull": [
        "ALTER TABLE slot DROP CONSTRAINT slot_room",
        "UPDATE slot SET capacity = 0, planned = 0, overbooking = 0 WHERE id = ({place})",
    ],
    "place_of_nobody": [
        "UPDATE appointment SET state = 'cancelled', ended_at = made_at WHERE id = '{booked}'"
    ],
    "appointment_without_place": [
        "DELETE FROM appointment_place WHERE appointment_id = '{booked}'",
    ],
    "appointment_once": ["DELETE FROM appointment_once WHERE appointment_id = '{booked}'"],
    "appointment_untold": ["DELETE FROM appointment_event WHERE appointment_id = '{booked}'"],
    "impossible_appointment": [
        "UPDATE appointment_event SET step = 'miss' WHERE appointment_id = '{booked}'"
    ],
    "offer_of_nobody": [
        "UPDATE waitlist SET state = 'waiting' WHERE appointment_id = '{offered}'",
    ],
    "place_not_offered": [
        "UPDATE slot SET capacity = 2, planned = 2 WHERE id = ({full})",
    ],
    "booking_overdue": [
        "UPDATE appointment SET held_until = made_at - interval '1 day' WHERE id = '{offered}'"
    ],
}


class Undone(Exception):
    """Ends a transaction, and with it what was damaged in it."""


async def found_after(hall_id: UUID, damages: Sequence[str]) -> set[str]:
    """What `verify` calls wrong in a hall's Tuesday, once this is done to it; then it is undone."""
    kinds: set[str] = set()
    try:
        async with transaction() as tx:
            # As a hand that goes past the triggers would.
            await tx.run("SET LOCAL session_replication_role = replica")
            # Other tests' days were later, and what is overdue is told by the last event.
            await tx.run("DELETE FROM appointment_event WHERE at > '2026-11-23T12:00:00+08:00'")
            for damage in damages:
                await tx.run(damage)
            verdict = await verify_in(tx, Scope(hall_id, date.fromisoformat(TUESDAY)))
            assert verdict.appointments >= 3
            kinds.update(verdict.found.counts)
            raise Undone
    except Undone:
        return kinds


async def test_each_damage_is_found_and_what_is_whole_is_not(api: Api) -> None:
    hall = await a_bookable_hall(api, places=1)
    hall_id = api.services.directory.hall(hall).id
    item = an_item(api, hall)
    lin, mei, bo = [await api.citizen() for _ in range(3)]
    mine = await booked(lin, hall, item, at("10:00"))
    hers = await booked(mei, hall, item, at("11:00"))
    wish = {"hall": hall, "item": item, "date": TUESDAY, "from": "11:00", "to": "11:30"}
    assert (await bo.post("/waitlist", wish)).status_code == 201
    assert (await mei.post(f"/appointments/{hers['id']}/cancel")).is_success
    await tend(api)
    [offer] = (await bo.get("/appointments")).json()["data"]
    assert offer["state"] == "offered"
    # Somebody waits for a slot that is full: so it should be, until it is not.
    full = await booked(await api.citizen(), hall, item, at("15:00"))
    wang = await api.citizen()
    wish |= {"from": "15:00", "to": "15:30"}
    assert (await wang.post("/waitlist", wish)).json()["state"] == "waiting"
    api.later(minutes=15)
    # What happens later is what tells that nobody has offered it.
    await booked(await api.citizen(), hall, item, at("16:00"))
    assert await found_after(hall_id, []) == set()
    place = f"SELECT slot_id FROM appointment_place WHERE appointment_id = '{mine['id']}'"
    waits = f"SELECT slot_id FROM appointment_place WHERE appointment_id = '{full['id']}'"
    for kind, damages in DAMAGES.items():
        told = {"full": waits, "place": place, "booked": mine["id"], "offered": offer["id"]}
        found = await found_after(hall_id, [damage.format(**told) for damage in damages])
        assert kind in found, f"{kind} is not found"
    assert await found_after(hall_id, []) == set()


def test_there_is_a_damage_and_a_word_for_all_that_is_looked_for() -> None:
    assert [kind for kind, _ in BROKEN_BOOKINGS] == list(DAMAGES)
    assert WORDS.keys() >= DAMAGES.keys()
