"""A day of a simulated hall, told in events: people come, are called by the rule, or give up."""

import heapq
from typing import Final

import numpy as np

from scheduler.wait.events import Event
from scheduler.wait.training.plans import HallPlan, LinePlan

_EARLY: Final = 5.0  # an appointment goes first from so long before its slot
_OVERTIME: Final = 90.0
_NO_SHOW: Final = 0.12


class Person:
    """Somebody who waits."""

    __slots__ = ("detail", "line", "number", "rank", "slot")

    def __init__(self, line: LinePlan, number: str, rank: float, slot: float | None, detail: str):
        self.line, self.number, self.rank = line, number, rank
        self.slot, self.detail = slot, detail


class Day:
    """One day, played once. `events` is what the hall's own machines would have told."""

    def __init__(self, plan: HallPlan, day: int, dice: np.random.Generator) -> None:
        self.plan, self.day, self.dice = plan, day, dice
        self.events: list[Event] = []
        self.todo: list[tuple[float, int, str, object]] = []
        self.order = 0
        self.waiting: dict[str, list[Person]] = {line.code: [] for line in plan.lines}
        self.open = [False] * len(plan.counters)
        self.busy = [False] * len(plan.counters)
        self.pace = float(np.exp(dice.normal(0, plan.restless)))
        self.speeds = np.exp(dice.normal(0, 0.15, len(plan.counters)))
        self.slow = self._slow_hours()
        self.numbers = dict.fromkeys(self.waiting, 0)
        self.counted: dict[str, int] = {}

    def play(self) -> list[Event]:
        """The day's events in order of time."""
        self._people()
        self._shifts()
        while self.todo:
            t, _, what, who = heapq.heappop(self.todo)
            getattr(self, f"_{what}")(t, who)
        return self.events

    # --- what is to happen ---------------------------------------------------------------

    def _plan_for(self, t: float, what: str, who: object) -> None:
        self.order += 1
        heapq.heappush(self.todo, (t, self.order, what, who))

    def _slow_hours(self) -> list[tuple[float, float, float]]:
        """Now and then a system is slow, and everybody takes longer."""
        if self.dice.random() > 0.25:
            return []
        start = self.dice.uniform(self.plan.opens, self.plan.closes)
        return [(start, start + self.dice.uniform(30, 180), self.dice.uniform(1.15, 1.8))]

    def _people(self) -> None:
        plan, dice = self.plan, self.dice
        crowd = plan.people * float(np.exp(dice.normal(0, plan.restless)))
        profile = np.array(plan.profile) * np.exp(dice.normal(0, 0.15, len(plan.profile)))
        if dice.random() < 0.15:  # a burst
            profile[dice.integers(len(profile))] *= dice.uniform(2, 4)
        profile /= profile.sum()
        for line in plan.lines:
            share = line.share * float(np.exp(dice.normal(0, plan.restless)))
            walk_ins = dice.poisson(crowd * share * (1 - line.booked))
            halves = dice.choice(len(profile), walk_ins, p=profile)
            for half in halves:
                t = plan.opens - 60 + 30 * half + dice.uniform(0, 30)
                if t < plan.closes - 5:
                    self._plan_for(round(t, 3), "comes", (line, None))
            slots = np.arange(plan.opens + 10, plan.closes - 30, 10)
            for _ in range(dice.poisson(crowd * share * line.booked)):
                slot = float(dice.choice(slots))
                if dice.random() > _NO_SHOW:
                    t = slot - dice.normal(7, 6)
                    self._plan_for(round(max(t, plan.opens - 40), 3), "comes", (line, slot))

    def _shifts(self) -> None:
        plan, dice = self.plan, self.dice
        for counter in range(len(plan.counters)):
            # The first counter of each line is always there, if late now and then.
            if counter >= len(plan.lines) and dice.random() < plan.absent:
                continue
            late = float(dice.exponential(6)) if dice.random() < 0.3 else 0.0
            stops = []
            if plan.lunch:
                stops.append(plan.lunch)
            else:
                noon = dice.uniform(690, 800)
                stops.append((noon, noon + dice.uniform(25, 60)))
            if dice.random() < 0.5:
                pause = dice.uniform(plan.opens + 30, plan.closes - 40)
                stops.append((pause, pause + dice.uniform(5, 25)))
            if dice.random() < 0.1:
                gone = dice.uniform(plan.opens + 60, plan.closes)
                stops.append((gone, plan.closes))
            self._plan_for(plan.opens + late, "opens", counter)
            for start, end in stops:
                self._plan_for(max(start, plan.opens + late + 1), "closes", counter)
                if end < plan.closes - 10:
                    self._plan_for(end, "opens", counter)
        self._plan_for(plan.closes + _OVERTIME, "ends", None)

    # --- what happens --------------------------------------------------------------------

    def _tell(self, t: float, kind: str, line: str = "", **more: str) -> None:
        self.events.append(Event(self.day, round(float(t), 3), self.plan.code, line, kind, **more))

    def _comes(self, t: float, who: tuple[LinePlan, float | None]) -> None:
        line, slot = who
        plan, dice = self.plan, self.dice
        rank, detail = t, ""
        if slot is not None:
            detail = f"appointment@{slot:g}"
        elif dice.random() < plan.priority:
            rank, detail = t - plan.credit, "priority"
        self.numbers[line.code] += 1
        person = Person(line, str(self.numbers[line.code]), rank, slot, detail)
        self.waiting[line.code].append(person)
        self._tell(t, "issue", line.code, ticket=person.number, detail=detail)
        if slot is None and dice.random() < plan.impatient:
            gone = t + float(dice.exponential(plan.patience))
            self._plan_for(gone, "leaves", person)
        for counter in dice.permutation(len(plan.counters)):
            self._next(t, int(counter))

    def _leaves(self, t: float, person: Person) -> None:
        line = self.waiting[person.line.code]
        if person in line:
            line.remove(person)
            self._tell(t, "leave", person.line.code, ticket=person.number)

    def _next(self, t: float, counter: int) -> None:
        """A free counter calls whoever is first among its lines."""
        if not self.open[counter] or self.busy[counter]:
            return
        best: tuple[float, Person] | None = None
        for code in self.plan.counters[counter]:
            for person in self.waiting[code]:
                due = person.slot is not None and person.slot - _EARLY <= t
                rank = person.slot - 1e6 if due and person.slot is not None else person.rank
                if best is None or rank < best[0]:
                    best = rank, person
        if best is None:
            return
        person = best[1]
        self.waiting[person.line.code].remove(person)
        self.busy[counter] = True
        self._tell(t, "call", person.line.code, ticket=person.number, counter=self._name(counter))
        missed = self.dice.random() < self.plan.missed
        minutes = self.dice.uniform(0.5, 2.0) if missed else self._service(person.line, counter, t)
        self._plan_for(t + minutes, "done", (counter, person, missed))

    def _service(self, line: LinePlan, counter: int, t: float) -> float:
        spread = np.sqrt(np.log1p(line.scatter**2))
        slow = np.prod([factor for start, end, factor in self.slow if start <= t < end])
        mean = line.service * self.speeds[counter] * self.pace * slow
        return float(mean * np.exp(self.dice.normal(0, spread) - spread**2 / 2))

    def _done(self, t: float, who: tuple[int, Person, bool]) -> None:
        counter, person, missed = who
        self.busy[counter] = False
        kind = "miss" if missed else "finish"
        if self.plan.tells != "numbers":
            name = self._name(counter)
            self._tell(t, kind, person.line.code, ticket=person.number, counter=name)
        self._next(t, counter)

    def _opens(self, t: float, counter: int) -> None:
        if not self.open[counter]:
            self.open[counter] = True
            self._tell_counters(t, counter)
            self._next(t, counter)

    def _closes(self, t: float, counter: int) -> None:
        if self.open[counter]:
            self.open[counter] = False
            self._tell_counters(t, counter)

    def _ends(self, t: float, _: object) -> None:
        for counter in range(len(self.open)):
            self._closes(t, counter)
        for line in self.waiting.values():
            for person in list(line):
                self._leaves(t, person)

    def _tell_counters(self, t: float, counter: int) -> None:
        plan = self.plan
        if plan.tells == "counters":
            if self.open[counter]:
                lines = "+".join(plan.counters[counter])
                self._tell(t, "counter_open", counter=self._name(counter), detail=lines)
            else:
                self._tell(t, "counter_close", counter=self._name(counter))
        elif plan.tells == "numbers":
            for line in plan.counters[counter]:
                count = sum(
                    is_open and line in able
                    for is_open, able in zip(self.open, plan.counters, strict=True)
                )
                if self.counted.get(line) != count:
                    self.counted[line] = count
                    self._tell(t, "counters", line, detail=str(count))

    def _name(self, counter: int) -> str:
        return "" if self.plan.tells == "numbers" else f"c{counter}"
