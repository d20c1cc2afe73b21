"""What the product promises of its alarms, by simulation through its own states."""

import numpy as np
import pytest

from streaming_eval.alerting import SeriesPlan, SeriesState, fleet_thresholds, observe
from streaming_eval.stats.grid import Grid
from tests.alerting.series import PANE_MS, at, drawn, pinned_plan, plan, watched

WEEK_MS = 7 * 24 * 3_600_000
FLEET_OF_100 = fleet_thresholds(WEEK_MS, PANE_MS, 100).log_threshold

Panes = list[list[float]]  # level shares of each pane


def opened_at(shares: Panes, n: int, paths: int, series_plan: SeriesPlan) -> list[int]:
    """Pane in which the alarm opened, of those series whose alarm did."""
    alarms = (watched(drawn(shares, n, seed), series_plan).alarm for seed in range(paths))
    return [alarm.opened_ms // PANE_MS for alarm in alarms if alarm is not None]


@pytest.mark.slow
def test_a_pinned_baseline_keeps_the_promise_though_its_mean_is_only_estimated() -> None:
    """P(false alarm within T panes) <= baseline_alpha + T / A, here .05 + 200 / 1000."""
    pinned = pinned_plan(500, smallest_effect=0.0, log_threshold=np.log(1_000))
    early = opened_at([[0.1, 0.9]] * 205, n=100, paths=400, series_plan=pinned)
    assert len(early) / 400 <= 0.25


@pytest.mark.slow
def test_the_baselines_mean_in_place_of_its_bound_would_not() -> None:
    """The same series and budget with the estimated mean taken for the truth."""
    alarmed = 0
    for seed in range(400):
        counts = drawn([[0.1, 0.9]] * 205, 100, seed)
        guess = float(np.sum(counts[:5], axis=0)[1] / 500)
        plugged = plan(baseline_constant=guess, smallest_effect=0.0, log_threshold=np.log(1_000))
        alarmed += watched(counts[5:], plugged).alarm is not None
    assert alarmed / 400 > 0.25


def test_a_swap_to_a_much_weaker_model_is_found_within_300_scores() -> None:
    """Pass rate .90 to .71 after 2,000 scores, at the budget of one page a week for 100 series."""
    swapped = pinned_plan(1_000, log_threshold=FLEET_OF_100)
    opened = opened_at([[0.1, 0.9]] * 100 + [[0.29, 0.71]] * 60, 20, 100, swapped)
    assert len(opened) == 100
    assert min(opened) >= 100
    assert np.mean(opened) - 100 <= 300 / 20


def test_two_models_that_are_equally_good_raise_nothing() -> None:
    """One is right where the other is wrong in 10.0% of prompts, the reverse in 10.9%."""
    paired = plan(
        grid=Grid(3), baseline_constant=0.5, smallest_effect=0.01, log_threshold=FLEET_OF_100
    )
    assert opened_at([[0.109, 0.791, 0.100]] * 500, 40, 40, paired) == []


def test_of_two_models_the_worse_one_is_found_on_the_same_prompts() -> None:
    paired = plan(
        grid=Grid(3), baseline_constant=0.5, smallest_effect=0.01, log_threshold=FLEET_OF_100
    )
    opened = opened_at([[0.20, 0.70, 0.10]] * 150, 20, 40, paired)
    assert len(opened) == 40


def test_looks_inside_panes_in_any_order_of_arrival_keep_the_promise() -> None:
    """Every score is looked at as it comes, three panes late or not; the mean is the null's."""
    budget, length = 40.0, 8
    watching = plan(baseline_constant=0.7, smallest_effect=0.0, log_threshold=np.log(budget))
    rng = np.random.default_rng(3)
    alarmed = 0
    for _ in range(400):
        state = SeriesState()
        index = np.repeat(np.arange(length), 5)
        for pane in index[np.argsort(index + rng.uniform(0, 3, index.size))]:
            row = [0, 1] if rng.random() < 0.7 else [1, 0]
            state = observe(state, at({int(pane) * PANE_MS: row}), -(10**12), watching)
        alarmed += state.alarm is not None
    promised = length / budget
    assert promised / 10 < alarmed / 400 <= promised + 3 * (promised / 400) ** 0.5
