"""What it costs to follow a ranking, tried on a trace: minutes lost to knowing what came.

Visitors stand at random places at random times and want what one line of each hall does; the halls
lie at random places too. Each rule sends them by what is known when they set off. What they then
wait is what whoever joined that line next after they got there did wait; the way is the same guess
for all rules. Regret is by how much another hall would have been better.
"""

import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from statistics import fmean
from typing import Final

import numpy as np

from scheduler.calendar import SHANGHAI, Opening, Timetable
from scheduler.hall_table import HallFacts, HallTable, seed_of
from scheduler.ordering import Search
from scheduler.places import Pair
from scheduler.ranking import rank
from scheduler.travel import PACES
from scheduler.vicinity import Asked
from scheduler.wait.events import Event
from scheduler.wait.predictor import Waits
from scheduler.wait.replaying import replayed

Line = tuple[str, str]  # hall, line
RULES: Final = ("fastest", "people × minutes", "fewest people", "nearest")
# Who joined within so many minutes after her tells what she would have waited.
_SOON: Final = 15.0
_LEAST_HALLS: Final = 4
# A city of 20 km by 20 km, driven through.
_CORNER: Final = (23.0, 113.6)
_WIDE: Final = (0.18, 0.195)
_PACE: Final = PACES["drive"]
# A weekday like any other: the trace says itself when its halls are open.
_DAY: Final = date(2026, 11, 23)
_OPEN: Final = Timetable(tuple(Opening(day, time(0), time(0)) for day in range(7)))
# People × minutes: sums fade by a day, and a line begins like this many people of all lines.
_FADES: Final = 0.9
_BEGINS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who sets off; `choices` are lines, and where their halls are."""

    day: int
    t: float
    here: Pair
    choices: tuple[Line, ...]
    places: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Regrets:
    """Of each rule, the minutes lost by each visit."""

    visits: int
    by_rule: Mapping[str, Sequence[float]]

    def mean(self, rule: str) -> float:
        """The mean regret of a rule in minutes; 0 where nobody went."""
        return fmean(self.by_rule[rule]) if self.by_rule[rule] else 0.0


def regrets(
    events: Sequence[Event],
    waits: Waits,
    *,
    from_day: int,
    visits_a_day: int = 400,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Regrets:
    """Replay a trace with visitors from a day on; what is before is there to learn from."""
    came = _Came(events)
    visits = _visits(events, came, from_day=from_day, many=visits_a_day, seed=seed)
    known = _Known()
    lost: dict[str, list[float]] = {rule: [] for rule in RULES}

    def ask(visit: Visit) -> None:
        costs = came.costs(visit)
        best = min(cost for cost in costs if cost is not None)
        for rule, chosen in _chosen(visit, waits, known, costs).items():
            cost = costs[chosen]
            assert cost is not None
            lost[rule].append(cost - best)

    def told() -> Iterator[Event]:
        due = 0
        for at, event in enumerate(events):
            progress(at, len(events))
            # Before the predictor hears of it: nothing of the future is seen.
            while due < len(visits) and (visits[due].day, visits[due].t) <= (event.day, event.t):
                if visits[due].day == event.day:
                    ask(visits[due])
                due += 1
            known.hear(event)
            yield event
        progress(len(events), len(events))

    for _ in replayed(told(), waits):
        pass
    return Regrets(len(lost[RULES[0]]), lost)


def _chosen(
    visit: Visit, waits: Waits, known: "_Known", costs: Sequence[float | None]
) -> dict[str, int]:
    """Which of her choices each rule sends her to, of those of which it is known what came."""
    may = [at for at, cost in enumerate(costs) if cost is not None]
    ways = ways_min(visit)
    people = [known.people(visit.choices[at]) for at in may]
    minutes = [known.minutes_each(visit.choices[at]) for at in may]
    return {
        "fastest": may[_fastest(visit, may, waits)],
        "people × minutes": min(
            zip(may, people, minutes, strict=True),
            key=lambda each: ways[each[0]] + (each[1] + 1) * each[2],
        )[0],
        "fewest people": min(zip(people, may, strict=True))[1],
        "nearest": min(may, key=lambda at: ways[at]),
    }


def ways_min(visit: Visit) -> list[float]:
    """Minutes to each of her choices."""
    table = _table(visit, range(len(visit.choices)))
    metres = table.map.distances_m(*visit.here).tolist()
    return [(m * _PACE.s_per_m + _PACE.overhead_s) / 60 for m in metres]


def _fastest(visit: Visit, may: Sequence[int], waits: Waits) -> int:
    """The ranking that runs live, told what the predictor foretells now."""
    table = _table(visit, may)
    for row, at in enumerate(may):
        hall, line = visit.choices[at]
        curve = waits.on_arrival(hall, visit.t, [line]).get(line, [])
        known = [each for each in curve if each is not None]
        shares = [[60 * each.p10, 60 * each.p50, 60 * each.p90] for each in known]
        table.learn(row, shares if len(known) == len(curve) else [], last_s=np.inf)
    midnight_s = datetime.combine(_DAY, time(0), SHANGHAI).timestamp()
    now_s = midnight_s + 60 * min(visit.t, 1439.0)
    search = Search(
        by="fastest",
        now_s=now_s,
        here=visit.here,
        pace=_PACE,
        asked=Asked(table.map, np.arange(len(may)), np.zeros(len(may))),
        limit=1,
        seed=seed_of(*visit.here, now_s),
    )
    return int(rank(table, search).halls[0])


def _table(visit: Visit, may: Iterable[int]) -> HallTable:
    return HallTable(
        [
            HallFacts(
                code="/".join(visit.choices[at]),
                place=visit.places[at],
                timetable=_OPEN,
                after_close_min=1440,
                lines=[],
            )
            for at in may
        ],
        _DAY,
    )


class _Came:
    """What everybody waited, by when they joined."""

    def __init__(self, events: Iterable[Event]) -> None:
        joined: dict[tuple[int, str, str, str], float] = {}
        waits: dict[tuple[int, str, str], list[tuple[float, float]]] = defaultdict(list)
        for event in events:
            key = event.day, event.hall, event.line, event.ticket
            if event.kind == "issue" and not event.detail:
                joined[key] = event.t
            elif event.kind == "call" and key in joined:
                since = joined.pop(key)
                waits[key[:3]].append((since, event.t - since))
        self._waits = {line: sorted(each) for line, each in waits.items()}

    def wait(self, day: int, line: Line, t: float) -> float | None:
        """What who comes at that minute waits; None where nobody joined soon after."""
        known = self._waits.get((day, *line), [])
        at = bisect_left(known, (t, -1.0))
        return known[at][1] if at < len(known) and known[at][0] < t + _SOON else None

    def costs(self, visit: Visit) -> list[float | None]:
        """The way and the wait that came, at each of her choices."""
        found: list[float | None] = []
        for line, way in zip(visit.choices, ways_min(visit), strict=True):
            wait = self.wait(visit.day, line, visit.t + way)
            found.append(None if wait is None else way + wait)
        return found


def _visits(
    events: Iterable[Event], came: _Came, *, from_day: int, many: int, seed: int
) -> list[Visit]:
    """Visitors of each day in order of time, each with at least some halls to choose from."""
    rng = random.Random(seed)  # noqa: S311 nothing to guess
    lines: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    spans: dict[int, tuple[float, float]] = {}
    for event in events:
        if event.kind == "issue" and event.day >= from_day:
            lines[event.day][event.hall].add(event.line)
            first, last = spans.get(event.day, (event.t, event.t))
            spans[event.day] = min(first, event.t), max(last, event.t)
    found = []
    for day, (first, last) in sorted(spans.items()):
        for _ in range(many):
            halls = sorted(lines[day].items())
            choices = tuple((hall, rng.choice(sorted(theirs))) for hall, theirs in halls)
            visit = Visit(
                day=day,
                t=rng.uniform(first, last),
                here=_somewhere(rng),
                choices=choices,
                places=tuple(_somewhere(rng) for _ in choices),
            )
            if sum(cost is not None for cost in came.costs(visit)) >= _LEAST_HALLS:
                found.append(visit)
    return sorted(found, key=lambda visit: (visit.day, visit.t))


def _somewhere(rng: random.Random) -> Pair:
    return (_CORNER[0] + rng.uniform(0, _WIDE[0]), _CORNER[1] + rng.uniform(0, _WIDE[1]))


@dataclass(slots=True)
class _Known:
    """People in each line, and minutes for each of them as those who were called took."""

    joined: dict[tuple[str, str, str], tuple[float, int]] = field(default_factory=dict)
    now: dict[Line, int] = field(default_factory=dict)
    sums: dict[Line, tuple[float, float]] = field(default_factory=dict)
    day: int | None = None

    def hear(self, event: Event) -> None:
        """Take an event in."""
        if event.day != self.day:
            self.day = event.day
            self.joined.clear()
            self.now.clear()
            self.sums = {line: (w * _FADES, n * _FADES) for line, (w, n) in self.sums.items()}
        line, key = (event.hall, event.line), (event.hall, event.line, event.ticket)
        if event.kind == "issue":
            self.now[line] = self.people(line) + 1
            self.joined[key] = event.t, self.now[line]
        elif event.kind in ("call", "leave") and key in self.joined:
            since, place = self.joined.pop(key)
            self.now[line] -= 1
            if event.kind == "call":
                waited, places = self.sums.get(line, (0.0, 0.0))
                self.sums[line] = waited + event.t - since, places + place

    def people(self, line: Line) -> int:
        """How many wait in a line."""
        return self.now.get(line, 0)

    def minutes_each(self, line: Line) -> float:
        """Minutes of waiting for each place in a line, fitted to what came before."""
        waited = sum(w for w, _ in self.sums.values())
        places = sum(n for _, n in self.sums.values())
        usual = waited / places if places else 0.0
        its_wait, its_places = self.sums.get(line, (0.0, 0.0))
        return (its_wait + _BEGINS * usual) / (its_places + _BEGINS)
