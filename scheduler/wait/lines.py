"""What one line has shown: small sums that fade, of all days and of today."""

from array import array
from collections import deque
from typing import Any, Final

FADE: Final = 0.9  # of everything historic, from one day to the next
SLOTS: Final = 48  # half hours; what is later than midnight counts to the last
_TODAY: Final = 0.93  # of today's sums, at each label
_SLOW: Final = 0.02  # how fast a service mean moves
NEAR_TIES: Final = 3.0  # waits in a half hour that weigh as much as the line's mean


# Waits asked after at one moment err alike, so each of them moves the ends by less.
TAIL_STEPS: Final = (0.02, 0.01, 0.01)
MOST_TAIL: Final = 0.6
_OFTEN: Final = 0.1  # of those who came, who leave before they are called
_FEW: Final = 20.0


def _within(tail: float) -> float:
    return min(max(tail, -MOST_TAIL), MOST_TAIL)


def slot_of(t: float) -> int:
    """The half hour of a moment."""
    return min(max(int(t // 30), 0), SLOTS - 1)


class Profile:
    """A sum and a weight for each half hour of the day."""

    __slots__ = ("sums", "total", "weights")

    def __init__(self) -> None:
        self.sums = array("d", bytes(8 * SLOTS))
        self.weights = array("d", bytes(8 * SLOTS))
        self.total = [0.0, 0.0]  # of both, over all half hours

    def add(self, slot: int, value: float, weight: float = 1.0) -> None:
        """Count something in."""
        self.sums[slot] += value
        self.weights[slot] += weight
        self.total[0] += value
        self.total[1] += weight

    def fade(self) -> None:
        """A day has passed."""
        for at in range(SLOTS):
            self.sums[at] *= FADE
            self.weights[at] *= FADE
        self.total = [each * FADE for each in self.total]

    def mean(self, slot: int, usual: float, strength: float = NEAR_TIES) -> float:
        """The half hour's mean, drawn to what is usual where little is known."""
        if slot >= SLOTS:
            slot = SLOTS - 1
        return (self.sums[slot] + strength * usual) / (self.weights[slot] + strength)


class Mean:
    """A moving mean of some minutes: plain at first, then slow."""

    __slots__ = ("count", "value")

    def __init__(self, value: float = 0.0, count: int = 0) -> None:
        self.value, self.count = value, count

    def add(self, value: float) -> None:
        """Count one in."""
        self.count += 1
        self.value += max(_SLOW, 1 / self.count) * (value - self.value)

    def shrunk(self, usual: float, strength: float) -> float:
        """The mean, drawn to what is usual while few were seen."""
        return (self.value * self.count + usual * strength) / (self.count + strength)


class Line:
    """A line's memory. All is minutes or people; `wait` here is from issue to call."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.waits = self.people = 0.0
        self.labels = 0
        self.by_slot = Profile()  # waits, by when they began
        self.counters_by_slot = Profile()
        self.arrivals = Profile()  # its weights count days
        self.service = Mean()
        self.misses = Mean()  # 1 for a miss, 0 for who came
        self.bias = 0.0  # sums of earlier days' y - f50, faded
        self.spread = 0.0
        self.biased = 0.0
        # What calibration adds for this line: at issue, midway, on arrival.
        self.tails = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
        self.left = self.called = 0.0  # how many of late gave up, and how many were called
        self.new_day()

    def new_day(self) -> None:
        """Forget today."""
        self.today = [0.0, 0.0]
        self.ys = [0.0, 0.0, 0.0]  # sum of y, sum of y - f50, weight
        self.last_wait: float | None = None
        self.last_n = 1
        self.last_ten: deque[float] = deque(maxlen=10)
        self.counters: int | None = None
        self.first_issue: float | None = None
        self.issued = 0
        self.asked: list[tuple[float, Any]] = []  # due at, what was foretold
        self.expected: list[float] | None = None  # arrivals until each half hour's end
        self.came = array("d", bytes(8 * SLOTS))
        # Who waits, in order: (rank, number in the hall), and (slot, issued, number) of those who
        # have booked and go first.
        self.walk: list[tuple[float, int]] = []
        self.booked: list[tuple[float, float, int]] = []

    def close_day(self) -> None:
        """Fold today into what is known, and let that fade."""
        if self.issued:
            for at in range(SLOTS):
                self.arrivals.sums[at] += self.came[at]
                self.arrivals.weights[at] += 1.0
            self.arrivals.fade()
        self.waits *= FADE
        self.people *= FADE
        self.bias *= FADE
        self.spread *= FADE
        self.biased *= FADE
        self.left *= FADE
        self.called *= FADE
        self.by_slot.fade()
        self.counters_by_slot.fade()
        self.new_day()

    def tau(self, usual: float, strength: float) -> float:
        """Minutes of wait for each position, drawn to the usual."""
        return (self.waits + strength * usual) / (self.people + strength)

    def mean_wait(self, tau: float) -> float:
        """The mean wait of all hours, drawn to that of the third in line."""
        waits, people = self.by_slot.total
        return (waits + 9.0 * tau) / (people + 3.0)

    def tau_today(self, tau: float) -> float:
        """The same of today alone, drawn to that of all days."""
        return (self.today[0] + 15.0 * tau) / (self.today[1] + 15.0)

    def issue(self, t: float) -> None:
        """Somebody joins."""
        if self.first_issue is None:
            self.first_issue = t
        self.issued += 1
        self.came[slot_of(t)] += 1.0

    def label(self, wait: float, n: int, issued: float, y: float, y50: float) -> None:
        """A wait came true, of one who was n-th; y is as learned, y50 as predicted."""
        self.labels += 1
        self.waits += wait
        self.people += n
        self.today[0] = self.today[0] * _TODAY + wait
        self.today[1] = self.today[1] * _TODAY + n
        self.ys = [
            self.ys[0] * _TODAY + y,
            self.ys[1] * _TODAY + y - y50,
            self.ys[2] * _TODAY + 1.0,
        ]
        self.bias += y - y50
        self.spread += abs(y - y50)
        self.biased += 1.0
        self.last_wait, self.last_n = wait, n
        self.last_ten.append(wait)
        self.by_slot.add(slot_of(issued), wait)

    @property
    def leaves_often(self) -> bool:
        """Whether so many give up that who stays tells too short waits."""
        ended = self.left + self.called
        return ended >= _FEW and self.left > _OFTEN * ended

    def follow(self, which: int, *, below: bool, above: bool) -> None:
        """Move one of this line's own ends towards what was promised of them."""
        tail, step = self.tails[which], TAIL_STEPS[which]
        tail[0] = _within(tail[0] + step * (0.1 - below))
        tail[1] = _within(tail[1] - step * (0.1 - above))

    def expected_arrivals(self, start: float, end: float) -> float:
        """How many come between two moments on a usual day."""
        return self._expected_until(end) - self._expected_until(start)

    def _expected_until(self, t: float) -> float:
        if self.expected is None:
            total, self.expected = 0.0, [0.0]
            days = self.arrivals
            for come, weight in zip(days.sums, days.weights, strict=True):
                total += come / weight if weight > 0 else 0.0
                self.expected.append(total)
        slot = slot_of(t)
        before, after = self.expected[slot], self.expected[slot + 1]
        return before + (after - before) * min((t - 30.0 * slot) / 30.0, 1.0)
