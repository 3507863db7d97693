"""Following the ranking costs little, tried on days of halls made up; the real trace by hand."""

import random
from itertools import product
from pathlib import Path

from typer.testing import CliRunner

from scheduler.regret import RULES, regrets
from scheduler.wait.city import City
from scheduler.wait.events import Event
from scheduler.wait.predictor import Waits
from scheduler.wait.prior import shipped_trees
from server.commands.waits import waits
from tests.scheduler.wait.test_replay_command import write_trace


def a_city(days: int = 2) -> list[Event]:
    """Five halls of one line and one counter: some are crowded in the morning, some later."""
    rng, events = random.Random(4), []
    for day, nth in product(range(days), range(5)):
        now, free, ticket = 540.0 + 20 * nth, 540.0, 0
        while now < 800:
            now += rng.expovariate(0.5 if (now < 650) == (nth % 2 == 0) else 0.25)
            free, ticket = max(free, now), ticket + 1
            for kind, t in (("issue", now), ("call", free)):
                events.append(Event(day, t, f"H{nth}", "A", kind, str(ticket)))
            free += rng.uniform(1.5, 3.5)
    return sorted(events, key=lambda event: (event.day, event.t))


def test_the_ranking_loses_less_than_going_to_the_nearest_or_emptiest() -> None:
    events = a_city()
    found = regrets(events, Waits(City(shipped_trees())), from_day=1, visits_a_day=60)
    assert found.visits > 30
    assert all(min(found.by_rule[rule]) >= 0 for rule in RULES)
    assert found.mean("fastest") < found.mean("nearest")
    assert found.mean("fastest") < found.mean("fewest people")


def test_a_trace_tells_what_each_rule_loses(tmp_path: Path) -> None:
    trace = write_trace(tmp_path / "trace.csv", a_city())
    result = CliRunner().invoke(waits, ["regret", str(trace), "--visits", "20", "--from-day", "1"])
    assert result.exit_code == 0, result.output
    assert all(rule in result.output for rule in RULES)
    absent = CliRunner().invoke(waits, ["regret", str(tmp_path / "none.csv")])
    assert absent.exit_code == 2
