"""How quickly somebody serves, fairly: against what the same items take at the same hall."""

from dataclasses import dataclass
from math import exp, sqrt
from typing import Final

# Fewer services say more about who came than about who served.
LEAST_SERVED: Final = 20
# Nine times in ten the true pace lies within the range that is told.
_NINE_IN_TEN: Final = 1.645


@dataclass(frozen=True, slots=True)
class Pace:
    """How long services took against what is usual for them: 1 as usual, 0.8 a fifth quicker."""

    ratio: float
    low: float
    high: float


def pace_of(served: int, log_mean: float | None, log_spread: float | None) -> Pace | None:
    """The pace of so many services, from the mean and spread of ln(seconds / usual seconds).

    A ratio's logarithm, because half and double are equally far from usual. None: too few to say.
    """
    if served < LEAST_SERVED or log_mean is None or log_spread is None:
        return None
    off = _NINE_IN_TEN * log_spread / sqrt(served)
    return Pace(exp(log_mean), exp(log_mean - off), exp(log_mean + off))
