"""Trees: they learn, they are the same for the same seed, and they can be kept."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from scheduler.wait.blend import HALFWAY, Blend
from scheduler.wait.boosting import Growing, grow, weighted_quantile
from scheduler.wait.calibration import Calibration
from scheduler.wait.city import KINDS, Kind, Promise, Row
from scheduler.wait.prior import SHIPPED, read_trees, shipped_trees, write_trees
from scheduler.wait.refit import FEWEST, Learned, refit
from scheduler.wait.training.growing import grown_on_simulated
from scheduler.wait.trees import plain_trees, trees_from
from server.commands.waits import waits

QUICK = Growing(trees=(20, 20, 20), rate=0.2)


def a_sample(rows: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dice = np.random.default_rng(seed)
    x = dice.normal(size=(rows, 6)).astype(np.float32)
    y = 0.8 * np.sign(x[:, 0]) + dice.normal(size=rows) * (0.3 + 0.5 * (x[:, 1] > 0))
    return x, y, np.ones(rows)


def test_trees_learn_the_middle_and_the_ends() -> None:
    x, y, weight = a_sample()
    trees = grow(x, y, weight, 1, how=QUICK)
    x, y, _ = a_sample(seed=1)
    p50, p10, p90 = trees.predict(x).T
    assert np.abs(y - p50).mean() < 0.75 * np.abs(y - np.median(y)).mean()
    assert (y < p10).mean() == pytest.approx(0.1, abs=0.03)
    assert (y < p90).mean() == pytest.approx(0.9, abs=0.03)
    wide = x[:, 1] > 0
    assert (p90 - p10)[wide].mean() > 1.5 * (p90 - p10)[~wide].mean()


def test_the_same_rows_and_seed_give_the_same_trees() -> None:
    x, y, weight = a_sample(800)
    same = [grow(x, y, weight, 5, how=QUICK).predict(x) for _ in range(2)]
    assert (same[0] == same[1]).all()
    assert (grow(x, y, weight, 6, how=QUICK).predict(x) != same[0]).any()


def test_trees_do_not_grow_from_nothing_or_from_what_is_no_number() -> None:
    x, y, weight = a_sample(50)
    with pytest.raises(ValueError, match="finite"):
        grow(x[:0], y[:0], weight[:0], 1, how=QUICK)
    y[3] = np.nan
    with pytest.raises(ValueError, match="finite"):
        grow(x, y, weight, 1, how=QUICK)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 3))
def test_few_rows_or_all_alike_are_no_trouble(rows: int, spread: int) -> None:
    x = np.zeros((rows, 3), np.float32)
    x[:, 0] = np.arange(rows) % (spread + 1)
    trees = grow(x, np.ones(rows), np.ones(rows), 1, how=Growing(trees=(3, 3, 3)))
    assert trees.predict(x) == pytest.approx(np.ones((rows, 3)))


def test_joined_trees_say_what_each_says() -> None:
    x, y, weight = a_sample(500)
    one, other = grow(x, y, weight, 1, how=QUICK), grow(x, -y, weight, 2, how=QUICK)
    both = one.joined(other).predict(x)
    assert both == pytest.approx(np.hstack([one.predict(x), other.predict(x)]))
    many = np.repeat(x, 3, axis=0)
    assert one.predict(many) == pytest.approx(np.repeat(one.predict(x), 3, axis=0))


def test_own_trees_count_half_once_they_have_seen_enough() -> None:
    x, y, weight = a_sample(500)
    one, other = grow(x, y, weight, 1, how=QUICK), grow(x, y + 1, weight, 2, how=QUICK)
    blend = Blend(one)
    assert np.array(blend.predict(x))[:, :3] == pytest.approx(one.predict(x))
    blend.learn(other, HALFWAY)
    middle = (one.predict(x) + other.predict(x)) / 2
    assert np.array(blend.predict(x))[:, :3] == pytest.approx(middle, abs=1e-6)


def test_trees_that_err_more_count_less() -> None:
    blend = Blend(plain_trees())
    blend.learn(plain_trees(), HALFWAY)
    for _ in range(500):
        blend.label(1.0, 1.0, 0.0, 1.0)
    assert blend.share <= 0.2
    for _ in range(3000):
        blend.label(1.0, 0.0, 1.0, 1.0)
    assert blend.share >= 0.9


def test_trees_are_kept_in_a_file(tmp_path: Path) -> None:
    x, y, weight = a_sample(500)
    trees = grow(x, y, weight, 1, how=QUICK)
    write_trees(tmp_path / "trees.npz", {"line": trees}, "of a test")
    again = read_trees(tmp_path / "trees.npz")["line"]
    assert (again.predict(x) == trees.predict(x)).all()


def test_arrays_that_are_no_trees_are_refused() -> None:
    arrays = plain_trees().as_arrays()
    arrays["leaf"] = arrays["leaf"][:, :3]
    with pytest.raises(ValueError, match="no trees"):
        trees_from(arrays)


def test_what_ships_is_small_says_where_it_comes_from_and_has_every_kind() -> None:
    assert SHIPPED.stat().st_size < 1_000_000
    assert set(shipped_trees()) == set(KINDS)
    with np.load(SHIPPED, allow_pickle=False) as kept:
        assert "simulated halls alone" in str(kept["provenance"])


def test_training_is_repeatable() -> None:
    told: list[tuple[int, int]] = []
    twice = [
        grown_on_simulated(halls=2, days=2, seed=3, progress=lambda *at: told.append(at))
        for _ in range(2)
    ]
    assert twice[0].keys() == twice[1].keys()
    for kind, trees in twice[0].items():
        assert (trees.leaf == twice[1][kind].leaf).all()
    assert told[-1][0] == told[-1][1]


def some_rows(count: int, seed: int = 0) -> list[Row]:
    x, y, _ = a_sample(count, seed)
    return [Row("line", row, float(each), 5.0) for row, each in zip(x, y, strict=True)]


def test_a_refit_is_due_when_enough_is_new_and_only_for_kinds_with_enough_rows() -> None:
    learned = Learned()
    learned.keep(some_rows(FEWEST - 1))
    assert learned.due() == set()
    learned.keep(some_rows(10))
    assert learned.due() == {"line"}
    assert set(learned.refit(1)) == {"line"}
    learned.keep(some_rows(20))
    assert learned.due() == set()
    assert refit(some_rows(20), 1) == {}


def test_calibration_mends_ends_that_are_wrong() -> None:
    dice = np.random.default_rng(0)
    calibration = Calibration()
    met = []
    for y in dice.normal(size=4000):
        low, high = calibration.shifts(3)
        # What the trees say is far too narrow.
        promise = Promise(
            "line",
            np.zeros(0, np.float32),
            1.0,
            2.0,
            0.0,
            -0.3,
            0.3,
            low - 0.3,
            high + 0.3,
            (0.0, 0.0),
            None,
        )
        met.append(promise.low <= y <= promise.high)
        calibration.label(3, float(y), promise)
    assert np.mean(met[500:]) == pytest.approx(0.8, abs=0.03)
    assert calibration.is_sound


def test_calibration_that_fails_says_so_and_widens() -> None:
    calibration = Calibration()
    assert calibration.wider > 1
    assert not calibration.is_sound
    promise = Promise(
        "line", np.zeros(0, np.float32), 1.0, 2.0, 0.0, 0.0, 0.1, 0.0, 0.1, (0.0, 0.0), None
    )
    for at in range(100):
        calibration.label(3, 5.0 + at, promise)
    assert not calibration.is_sound
    assert calibration.wider > 1


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_a_weighted_quantile_lies_among_the_values(values: list[float], share: float) -> None:
    found = weighted_quantile(np.array(values), np.ones(len(values)), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


def test_some_kinds_can_be_trained_upon_the_others() -> None:
    shipped = dict(shipped_trees())
    kinds: tuple[Kind, ...] = ("arrival",)
    trees = grown_on_simulated(halls=4, days=3, seed=3, kinds=kinds, others=shipped)
    assert trees.keys() == shipped.keys()
    changed = {kind for kind, each in trees.items() if each is not shipped[kind]}
    assert changed == {"arrival"}


def test_a_kind_that_there_is_not_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "trees.npz"
    result = CliRunner().invoke(waits, ["train", "--kind", "lunch", "--out", str(out)])
    assert result.exit_code == 2
    assert "midway" in result.output
    assert not out.exists()
