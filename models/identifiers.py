"""Numbers of people, companies and phones: read, checked, masked. Pure; no rows here.

Sources: GB 11643-1999 (resident ids; ISO 7064 MOD 11-2), GB 32100-2015 and GB 11714 (unified social
credit codes), the National Immigration Administration's specimens for permits. The check digit of
the 2017 foreigner's card is inferred from its specimen.

`read_*` takes what people type (full-width, spaces, hyphens, a lower-case x) and gives the one form
that is stored and compared; `is_*` asks whether a text is in that form. No exception and no repr
here holds a number.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from itertools import cycle
from typing import Final, Literal

IdType = Literal[
    "resident_id",
    "hmt_residence_permit",
    "hm_travel_permit",
    "tw_travel_permit",
    "foreigner_permanent",
    "passport",
]
Fault = Literal["shape", "region", "birth_date", "check_digit"]


class NotAnIdentifier(ValueError):
    """No such number can exist; `fault` says why, and nothing says which number it was."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


@dataclass(frozen=True, slots=True)
class IdDocument:
    """One person's document, in its one form. A birth date or sex it does not tell is None."""

    id_type: IdType
    number: str = field(repr=False)
    born: date | None = field(default=None, repr=False)
    sex: Literal["female", "male"] | None = field(default=None, repr=False)


# GB/T 2260, the first two digits.
_REAL_PROVINCES: Final = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71))
    for code in range(first, last + 1)
)
# 99 is nowhere and serves demonstrations and tests.
_PROVINCES: Final = _REAL_PROVINCES | {"99"}
_HMT_REGIONS: Final = ("810000", "820000", "830000")
# Nobody born earlier is alive.
_EARLIEST: Final = date(1870, 1, 1)

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"

_EIGHTEEN: Final = re.compile(r"[0-9]{17}[0-9X]")
_FIFTEEN: Final = re.compile(r"[0-9]{15}")
_FOREIGNER_2017: Final = re.compile(r"[A-Z]{3}[0-9]{12}")
_HM_PERMIT: Final = re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?")
_TW_PERMIT: Final = re.compile(r"[0-9]{8}|[0-9]{10}[A-Z]?")
# ICAO 9303 gives a document number nine places; each state fills them as it likes.
_PASSPORT: Final = re.compile(r"(?=[A-Z]*[0-9])[A-Z0-9]{5,9}")
_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")

USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100: no I, O, S, V, Z
_USCC: Final = re.compile(r"[1-79ANY][0-9A-HJ-NP-RTUWXY][0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}")
_USCC_VALUES: Final = {letter: value for value, letter in enumerate(USCC_ALPHABET)}
_USCC_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)

_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_SPACES: Final = re.compile(r"[\s\u200b\u2060\ufeff]+")
_HYPHENS: Final = re.compile(r"[-‐‑‒–—−]+")
# What people type for the dot inside a name such as 买买提·艾力.
_DOTS: Final = re.compile(r"\s*[·•‧・･．\u2022\u00b7]\s*")


# --- reading ---


def read_id(id_type: IdType, text: str, *, today: date | None = None) -> IdDocument:
    """Read a number of that kind of document, or raise NotAnIdentifier.

    With `today` a birth date after it is a fault. Fifteen-digit resident ids become eighteen.
    """
    number = normalise(text)
    if id_type == "resident_id" and _FIFTEEN.fullmatch(number):
        number = upgrade(number)
    if id_type == "foreigner_permanent":
        return _read_foreigner(number, today)
    if id_type in ("resident_id", "hmt_residence_permit"):
        return _read_eighteen(id_type, number, today)
    shape = {"hm_travel_permit": _HM_PERMIT, "tw_travel_permit": _TW_PERMIT, "passport": _PASSPORT}
    if not shape[id_type].fullmatch(number):
        raise NotAnIdentifier("shape")
    return IdDocument(id_type, number)


def recognise(text: str, *, today: date | None = None) -> IdDocument | None:
    """Read a number that does not say what it is of, or return None.

    A passport is never recognised: almost anything could be one.
    """
    kinds: tuple[IdType, ...] = (
        "resident_id",
        "hmt_residence_permit",
        "foreigner_permanent",
        "hm_travel_permit",
        "tw_travel_permit",
    )
    for kind in kinds:
        try:
            return read_id(kind, text, today=today)
        except NotAnIdentifier:
            continue
    return None


def is_id(id_type: IdType, number: str, *, today: date | None = None) -> bool:
    """Tell whether this is a number of that kind in the form we keep."""
    try:
        return read_id(id_type, number, today=today).number == number
    except NotAnIdentifier:
        return False


def upgrade(number: str) -> str:
    """Return the eighteen digits of a fifteen-digit resident id, or raise NotAnIdentifier.

    Sequence numbers 996 to 999 were kept for people then over a hundred: born in the 1800s.
    """
    if not _FIFTEEN.fullmatch(number):
        raise NotAnIdentifier("shape")
    century = "18" if number[12:] in ("996", "997", "998", "999") else "19"
    body = number[:6] + century + number[6:]
    return body + resident_check(body)


def resident_check(body: str) -> str:
    """Return the check character of GB 11643 for the first seventeen digits."""
    total = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True))
    return _CHECKS[total % 11]


def age_on(day: date, born: date) -> int:
    """How many years old somebody is. Who was born on 29 February ages on 1 March."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def read_uscc(text: str) -> str:
    """Return a unified social credit code in the form we keep, or raise NotAnIdentifier."""
    code = normalise(text)
    if not _USCC.fullmatch(code):
        raise NotAnIdentifier("shape")
    if code[16] != _organisation_check(code[8:16]) or code[17] != uscc_check(code[:17]):
        raise NotAnIdentifier("check_digit")
    return code


def is_uscc(code: str) -> bool:
    """Tell whether this is a unified social credit code in the form we keep."""
    try:
        return read_uscc(code) == code
    except NotAnIdentifier:
        return False


def read_mobile(text: str) -> str:
    """Return the eleven digits of a mainland mobile number, or raise NotAnIdentifier.

    Takes +86, 0086 and 86 before it.
    """
    digits = normalise(text).replace("(", "").replace(")", "")
    number = re.sub(r"\A(?:\+86|0086|86(?=1[0-9]{10}\Z))", "", digits)
    if not _MOBILE.fullmatch(number):
        raise NotAnIdentifier("shape")
    return number


def is_mobile(number: str) -> bool:
    """Tell whether this is a mainland mobile number in the form we keep."""
    return _MOBILE.fullmatch(number) is not None


def read_name(text: str) -> str:
    """Return a person's name in the form we compare: half-width, single spaces, one kind of dot."""
    name = _DOTS.sub("·", text).translate(_FULL_WIDTH)
    return _SPACES.sub(" ", name).strip()


def normalise(text: str) -> str:
    """Return what was typed as half-width capitals without spaces and hyphens."""
    half = text.translate(_FULL_WIDTH)
    # Not str.upper(): it turns letters that are none of ours into ones that are.
    capitals = "".join(letter.upper() if letter.isascii() else letter for letter in half)
    return _HYPHENS.sub("", _SPACES.sub("", capitals))


# --- masking ---


def mask_id(number: str) -> str:
    """Hide most of a document's number: `4419**********1234`, `H0*****01`."""
    if len(number) >= 15:
        return number[:4] + "*" * (len(number) - 8) + number[-4:]
    if len(number) >= 8:
        return number[:2] + "*" * (len(number) - 4) + number[-2:]
    return number[:1] + "*" * max(len(number) - 1, 2)


def mask_name(name: str) -> str:
    """Hide a name but for its first character: `张**`, whatever its length."""
    return name[:1] + "**"


def mask_phone(number: str) -> str:
    """Hide the middle of a phone number: `138****5678`."""
    if len(number) == 11:
        return number[:3] + "****" + number[-4:]
    return mask_id(number)


# --- inside ---


def _read_eighteen(id_type: IdType, number: str, today: date | None) -> IdDocument:
    if not _EIGHTEEN.fullmatch(number):
        raise NotAnIdentifier("shape")
    region = number[:6]
    resident = id_type == "resident_id"
    if not (region[:2] in _PROVINCES if resident else region in _HMT_REGIONS):
        raise NotAnIdentifier("region")
    return _checked_eighteen(id_type, number, today)


def _checked_eighteen(id_type: IdType, number: str, today: date | None) -> IdDocument:
    """Read what residents' numbers and the foreigners' of 2023 share: places 7 to 18."""
    born = _date(number[6:14], today)
    if number[17] != resident_check(number[:17]):
        raise NotAnIdentifier("check_digit")
    return IdDocument(id_type, number, born, "male" if int(number[16]) % 2 else "female")


def _read_foreigner(number: str, today: date | None) -> IdDocument:
    if _FOREIGNER_2017.fullmatch(number):
        return _read_foreigner_2017(number, today)
    if not (_EIGHTEEN.fullmatch(number) and number[0] == "9"):
        raise NotAnIdentifier("shape")
    if number[1:3] not in _REAL_PROVINCES:
        raise NotAnIdentifier("region")
    return _checked_eighteen("foreigner_permanent", number, today)


def _read_foreigner_2017(number: str, today: date | None) -> IdDocument:
    if number[3:5] not in _REAL_PROVINCES:
        raise NotAnIdentifier("region")
    # The card does not tell the century, so we do not tell the date.
    if not any(_is_date(century + number[7:13], today) for century in ("19", "20")):
        raise NotAnIdentifier("birth_date")
    values = (int(letter, 36) for letter in number[:14])
    total = sum(value * weight for value, weight in zip(values, cycle((7, 3, 1)), strict=False))
    if int(number[14]) != total % 10:
        raise NotAnIdentifier("check_digit")
    return IdDocument("foreigner_permanent", number)


def _date(digits: str, today: date | None) -> date:
    try:
        born = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise NotAnIdentifier("birth_date") from None
    if born < _EARLIEST or (today is not None and born > today):
        raise NotAnIdentifier("birth_date")
    return born


def _is_date(digits: str, today: date | None) -> bool:
    try:
        _date(digits, today)
    except NotAnIdentifier:
        return False
    return True


def _organisation_check(body: str) -> str:
    """Return the check character of GB 11714, whose letters count from A = 10."""
    pairs = zip(body, _ORGANISATION_WEIGHTS, strict=True)
    return "0123456789X0"[11 - sum(int(letter, 36) * weight for letter, weight in pairs) % 11]


def uscc_check(body: str) -> str:
    """Return the check character of GB 32100 for the first seventeen of a credit code."""
    pairs = zip(body, _USCC_WEIGHTS, strict=True)
    return USCC_ALPHABET[-sum(_USCC_VALUES[letter] * weight for letter, weight in pairs) % 31]
