"""Invented people: names, id numbers and phones that look right and belong to nobody."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

# No place in China has a division code that begins with 99, so no real id number is ever met.
NOWHERE = "990000"
MOST_PEOPLE = 10_000

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"
_ELDEST = date(1941, 1, 1)
# The days up to the end of 2007, and a stride through them that meets none twice.
_BIRTHDAYS = 24_469
_STRIDE = 7_919
_PARENTS_BORN_BY = 1961
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁"
_GIVEN = "伟芳秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂红玉梅丹萍凯婷雪浩宇欣怡子涵思远嘉"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist."""

    id_number: str = field(repr=False)
    name: str = field(repr=False)
    phone: str = field(repr=False)

    @property
    def born(self) -> date:
        """The day of birth, as the id number tells."""
        return date.fromisoformat(self.id_number[6:14])


def invent(seed: int, serial: int) -> Person:
    """Make up the person with this number; the same for the same seed, and no one else's double.

    Raises ValueError outside 0 … MOST_PEOPLE: the fictional phone numbers 199-0000-xxxx end there.
    """
    if not 0 <= serial < MOST_PEOPLE:
        raise ValueError(f"there are people 0 to {MOST_PEOPLE - 1}")
    dice = Random(f"{seed}/person/{serial}")
    born = _ELDEST + timedelta(days=(serial * _STRIDE + seed) % _BIRTHDAYS)
    given = "".join(dice.choices(_GIVEN, k=dice.choice((1, 2, 2))))
    return Person(
        id_number=with_check_digit(f"{NOWHERE}{born:%Y%m%d}{dice.randint(1, 999):03d}"),
        name=dice.choice(_SURNAMES) + given,
        phone=f"1990000{serial:04d}",
    )


class Strangers:
    """People whom no phone brings: they come to the desk, or somebody comes for them."""

    def __init__(self, seed: int, first: int) -> None:
        """`first` is the serial number of the first of them; after the last it begins anew."""
        self._seed = seed
        self._first = min(first, MOST_PEOPLE - 1)
        self._next = self._first

    def anybody(self) -> Person:
        """The next of them."""
        person = invent(self._seed, self._next)
        self._next = self._next + 1 if self._next + 1 < MOST_PEOPLE else self._first
        return person

    def parent(self) -> Person:
        """The next who is old enough that a grown-up child may come for her."""
        for _ in range(MOST_PEOPLE):
            if (person := self.anybody()).born.year <= _PARENTS_BORN_BY:
                return person
        raise ValueError("nobody here is so old")


def with_check_digit(first_17: str) -> str:
    """An id number with its check digit by GB 11643 (ISO 7064, MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(first_17, _WEIGHTS, strict=True))
    return first_17 + _CHECK_DIGITS[total % 11]
