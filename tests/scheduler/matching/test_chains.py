"""What follows a birth: one thing after another, each in its time."""

from datetime import date, timedelta

from scheduler.matching.chains import Chain, Step, due

BORN = date(2026, 3, 2)
BIRTH = Chain(
    "birth",
    "birth-certificate",
    (Step("birth-household", 0, 30), Step("newborn-medical", 3, 60), Step("vaccination", 0, 365)),
)


def due_after(days: int, **done: int) -> str | None:
    """The item due so many days after the birth, with items done on days since then."""
    did = {"birth-certificate": BORN} | {
        item.replace("_", "-"): BORN + timedelta(days=day) for item, day in done.items()
    }
    step = due(BIRTH, did, BORN + timedelta(days=days))
    return step.item if step else None


def test_the_first_step_is_due_at_once_and_the_next_when_it_is_done() -> None:
    assert due_after(0) == "birth-household"
    assert due_after(5, birth_household=5) is None
    assert due_after(8, birth_household=5) == "newborn-medical"
    assert due_after(9, birth_household=5, newborn_medical=9) == "vaccination"


def test_nobody_is_told_before_it_began_or_when_all_is_done() -> None:
    assert due(BIRTH, {}, BORN) is None
    assert due_after(-1) is None
    assert due_after(40, birth_household=1, newborn_medical=6, vaccination=20) is None


def test_a_step_whose_time_is_over_holds_nothing_up() -> None:
    assert due_after(30) == "birth-household"
    assert due_after(32) is None
    assert due_after(33) == "newborn-medical"


def test_what_was_done_for_an_elder_child_does_not_count() -> None:
    assert due_after(1, birth_household=-700) == "birth-household"
