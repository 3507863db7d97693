"""Waits of a city's halls: hears events, promises ranges, learns from what comes true.

One object holds the halls of one worker. A live worker calls `hear` for each ticket event and
`project` or `on_arrival` whenever it writes a hall's state; a replay does the same with a trace.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from scheduler.wait import arrival, features
from scheduler.wait.city import City, Kind, Promise, Range, Row
from scheduler.wait.events import Event
from scheduler.wait.halls import Called, Hall
from scheduler.wait.known import Known, known_in_work
from scheduler.wait.lines import slot_of
from scheduler.wait.pools import Waiting
from scheduler.wait.projecting import Place, newcomers, placed, waiting_now

HORIZONS: Final = (0, 15, 30, 60, 90)
_PRIOR_PEOPLE: Final = 20.0


class Waits:
    """The predictor of one or more halls that share a City.

    `pools` names lines that wait for the same counters in one order; `credit` is by how many
    minutes a priority ticket without a rank of its own ranks earlier.
    """

    def __init__(
        self, city: City, pools: Iterable[Iterable[str]] = (), credit: float = 0.0
    ) -> None:
        self.city = city
        self.pools = tuple(tuple(pool) for pool in pools)
        self.credit = credit
        self.halls: dict[str, Hall] = {}
        self.rows: list[Row] = []

    def hall(self, code: str) -> Hall:
        """The hall, made when first heard of."""
        found = self.halls.get(code)
        if found is None:
            found = self.halls[code] = Hall(code, self.pools, self.credit)
        return found

    def know(self, hall: str, known: Known) -> None:
        """Take in what the product knows of a hall's day; it holds until told otherwise."""
        self.hall(hall).known = known_in_work(known)

    def hear(self, event: Event) -> Promise | None:
        """Take an event in; answers what is promised to whoever joins by it.

        Costs some tens of microseconds; an issue that is scored, up to 200.
        """
        hall = self.hall(event.hall)
        if not hall.accepts(event):
            hall.refused += 1
            return None
        if hall.day != event.day:
            hall.begin_day(event.day, self.city.scale)
        told = hall.hear(event)
        if isinstance(told, Waiting):
            arrival.came(told, hall.t)
            promise = self._promise(hall, told) if told.scored else None
            told.promise = promise
            arrival.ask(hall, told.line, hall.t, self.city)
            return promise
        if isinstance(told, Called):
            self._label(hall, told)
        return None

    def project(self, hall_code: str, now: float) -> dict[tuple[str, str], Range | None]:
        """How much longer each ticket in line waits, by (line, number); None: nothing is known.

        `now` is minutes of the day. Whoever waits is asked after as if she joined now in her place.
        """
        hall = self.hall(hall_code)
        hall.pass_to(now)
        places = waiting_now(hall, self.city)
        promises = self._promised(hall, places)
        return {
            (place.line.code, place.ticket): self._on_clock(hall, promise.shown)
            for place, promise in zip(places, promises, strict=True)
        }

    def on_arrival(
        self,
        hall_code: str,
        now: float,
        lines: Sequence[str] = (),
        horizons: Sequence[float] = HORIZONS,
    ) -> dict[str, list[Range | None]]:
        """The wait of somebody who arrives in each of so many minutes, by line (all, or these).

        The first of `horizons` is 0. Learned are those up to 90 minutes; what lies beyond rests on
        what is usual at that hour.
        """
        hall = self.hall(hall_code)
        hall.pass_to(now)
        places = newcomers(hall, self.city, list(lines) or list(hall.lines))
        at_once = self._promised(hall, places)
        curves = {}
        for place, promise in zip(places, at_once, strict=True):
            later = arrival.predicted(hall, place, promise, horizons[1:], self.city)
            ranges = [promise.shown, *(each.shown for each in later)]
            curves[place.line.code] = [
                self._on_clock(hall, shown, in_minutes)
                for shown, in_minutes in zip(ranges, horizons, strict=True)
            ]
        return curves

    def close_day(self) -> None:
        """A business day has passed: what the halls share fades."""
        self.city.close_day()

    def drain_rows(self) -> list[Row]:
        """The rows since the last time, to be kept for the nightly refit."""
        rows, self.rows = self.rows, []
        return rows

    def _promise(self, hall: Hall, waiting: Waiting) -> Promise:
        counters = hall.open_for(waiting.line, hall.t)
        if counters is not None:
            waiting.line.counters_by_slot.add(slot_of(hall.t), float(counters))
        promise = self._promised(hall, [placed(hall, waiting, self.city)])[0]
        promise.shown = self._on_clock(hall, promise.shown)
        return promise

    def _promised(self, hall: Hall, places: Sequence[Place]) -> list[Promise]:
        """Ranges for places, in minutes of work."""
        city = self.city
        found: dict[int, Promise] = {}
        by_kind: dict[Kind, list[int]] = {}
        for at, place in enumerate(places):
            by_kind.setdefault(place.kind, []).append(at)
        for kind, members in by_kind.items():
            ref = np.array([places[at].backbone for at in members]) + city.offset
            x = features.table([places[at] for at in members], ref, city.offset)
            for at, row, each, said in zip(
                members, x, ref.tolist(), city.trees[kind].predict(x), strict=True
            ):
                place = places[at]
                found[at] = city.promise(place.line, kind, row, each, place.n, said)
        return [found[at] for at in range(len(places))]

    def _on_clock(self, hall: Hall, shown: Range | None, later: float = 0.0) -> Range | None:
        """A range in minutes of the clock, where the hall's hours are known."""
        known = hall.known
        if shown is None or not known.open:
            return shown
        start = hall.clock + later
        worked = known.worked(start)
        ends = (known.clock(worked + p) - start for p in (shown.p10, shown.p50, shown.p90))
        p10, p50, p90 = (max(each, 0.0) for each in ends)
        return Range(p10, p50, p90, shown.basis)

    def _label(self, hall: Hall, told: Called) -> None:
        waiting, city = told.waiting, self.city
        for n, promise in waiting.asked:
            self.rows.append(city.label(promise, n, told.wait))
        promise = waiting.promise
        if promise is None:
            return
        row = city.label(promise, waiting.n, told.wait)
        self.rows.append(row)
        if promise.kind == "booked":
            return
        line = waiting.line
        hall.ys = [hall.ys[0] * 0.97 + row.y, hall.ys[1] * 0.97 + 1.0]
        hall.waits += told.wait
        hall.people += waiting.n
        line.label(told.wait, waiting.n, waiting.issued, row.y, promise.y50)
        line.follow(below=row.y < promise.low, above=row.y > promise.high)
        city.count(told.wait, waiting.n)
