"""Guards: the table in the docs is the routes' own, and roles and places mean what it says."""

from dataclasses import dataclass
from uuid import uuid4

import pytest

import app as yiting
from models.sessions import PersonKind
from models.staff import Role
from server.auth import ACCOUNTS_ADMIN, CITIZEN, CLERK, SIGNED_IN, STAFF, Duty, Guard, Principal
from server.errors import NotAllowed, PasswordChangeRequired, TotpEnrolmentRequired
from server.halls.reading import _above
from server.web.guards import guards_page


@dataclass(frozen=True)
class Place:
    level: str
    above: frozenset[str] = frozenset()


CITY = {
    "city": Place("city"),
    "town": Place("town", frozenset({"city"})),
    "village": Place("village", frozenset({"town", "city"})),
    "other-town": Place("town", frozenset({"city"})),
    "other-village": Place("village", frozenset({"other-town", "city"})),
}


def staff_of(role: Role = Role.CLERK, *halls: str, levels: tuple[str, ...] = ()) -> Principal:
    return Principal(PersonKind.STAFF, uuid4(), uuid4(), role, frozenset(halls), frozenset(levels))


def admits(guard: Guard, who: Principal, hall: str | None = None) -> bool:
    try:
        guard.admit(who, hall, CITY)
    except NotAllowed:
        return False
    return True


def test_the_table_in_the_docs_is_what_the_routes_declare() -> None:
    written = (yiting.HERE / "docs" / "guards.md").read_text()
    assert written == guards_page(), "run: python -m server.web.guards > docs/guards.md"


@pytest.mark.parametrize("role", list(Role))
def test_auditors_read_and_do_not_act(role: Role) -> None:
    assert admits(STAFF, staff_of(role), "town")
    assert admits(CLERK, staff_of(role), "town") == (role is not Role.AUDITOR)


@pytest.mark.parametrize("role", list(Role))
def test_accounts_are_for_admins_of_every_hall(role: Role) -> None:
    assert admits(ACCOUNTS_ADMIN, staff_of(role)) == (role is Role.ADMIN)
    assert not admits(ACCOUNTS_ADMIN, staff_of(role, "city"))
    assert not admits(ACCOUNTS_ADMIN, staff_of(role, levels=("city",)))


@pytest.mark.parametrize(
    ("halls", "levels", "works_in"),
    [
        ((), (), {"city", "town", "village", "other-town", "other-village"}),
        (("town",), (), {"town"}),
        (("city",), (), {"city"}),
        ((), ("village",), {"village", "other-village"}),
        ((), ("town", "village"), {"town", "village", "other-town", "other-village"}),
        (("town",), ("village",), {"town", "village"}),
        (("city",), ("town",), {"city", "town", "other-town"}),
        (("village",), ("city",), {"village"}),
        (("gone",), ("village",), set()),
    ],
)
def test_staff_work_in_the_halls_and_levels_of_their_account(
    halls: tuple[str, ...], levels: tuple[str, ...], works_in: set[str]
) -> None:
    who = staff_of(Role.HALL_MANAGER, *halls, levels=levels)
    assert {hall for hall in CITY if admits(CLERK, who, hall)} == works_in


def test_a_hall_there_is_not_is_only_for_those_of_every_hall() -> None:
    assert admits(CLERK, staff_of(), "nowhere")
    assert not admits(CLERK, staff_of(Role.CLERK, "town"), "nowhere")
    assert not admits(CLERK, staff_of(levels=("town",)), "nowhere")


def test_citizens_and_staff_are_kept_apart() -> None:
    lin = Principal(PersonKind.CITIZEN, uuid4(), uuid4())
    assert admits(CITIZEN, lin)
    assert admits(SIGNED_IN, lin)
    assert not admits(STAFF, lin)
    assert not lin.works_in("town", CITY["town"])
    assert not admits(CITIZEN, staff_of())


@pytest.mark.parametrize(
    ("duty", "refusal"),
    [
        (Duty.CHANGE_PASSWORD, PasswordChangeRequired),
        (Duty.ENROL_TOTP, TotpEnrolmentRequired),
    ],
)
def test_a_duty_comes_before_anything_else(duty: Duty, refusal: type[Exception]) -> None:
    who = Principal(PersonKind.STAFF, uuid4(), uuid4(), Role.ADMIN, duty=duty)
    for guard in (SIGNED_IN, STAFF, CLERK, ACCOUNTS_ADMIN):
        with pytest.raises(refusal):
            guard.admit(who, None, CITY)
    for guard in (Guard(before_duty=True), Guard(PersonKind.STAFF, before_duty=True)):
        guard.admit(who, None, CITY)


def test_halls_that_lead_round_in_a_circle_are_above_each_other_once() -> None:
    parents = {"a": "b", "b": "c", "c": "a", "alone": None, "own": "own", "lost": "nowhere"}
    assert _above("a", parents) == {"b", "c"}
    assert _above("alone", parents) == _above("own", parents) == frozenset()
    assert _above("lost", parents) == {"nowhere"}
