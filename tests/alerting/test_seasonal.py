"""A baseline for each hour of the day: the daily cycle is no drop, a drop within it is one."""

import numpy as np
import pytest

from streaming_eval.alerting import Baseline, SeriesPlan, SeriesState, bounds, null_mean, observe
from streaming_eval.alerting.state import Pane
from tests.alerting.series import FAR_MS, plan

HOUR_MS = 3_600_000
N = 100  # scores in each pane of an hour


def hourly(**changes: object) -> SeriesPlan:
    given: dict[str, object] = {
        "pane_ms": HOUR_MS,
        "window_ms": HOUR_MS,
        "baseline_samples": 24 * N,
        "baseline_constant": None,
        "seasons": 24,
    }
    return plan(**{**given, **changes})


def cycle(days: int, seed: int, swing: float = 0.06, drop: float = 0.0) -> list[Pane]:
    """Hours of `N` scores: .85 pass on average, most at hour 6; the last day fewer by `drop`."""
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    means = 0.85 + swing * np.sin(2 * np.pi * hours / 24) - drop * (hours >= 24 * (days - 1))
    passes = rng.binomial(N, means)
    return [
        Pane(int(h) * HOUR_MS, (N - int(p), int(p))) for h, p in zip(hours, passes, strict=True)
    ]


def alarmed(panes: list[Pane], series_plan: SeriesPlan) -> bool:
    """Whether an alarm has ever opened, be it open now or not."""
    return bool(seen(panes, series_plan).transitions)


def seen(panes: list[Pane], series_plan: SeriesPlan) -> SeriesState:
    """The state after these panes came and closed."""
    return observe(observe(SeriesState(), panes, -FAR_MS, series_plan), (), FAR_MS, series_plan)


def test_it_is_collected_for_a_day_however_soon_there_are_enough_scores() -> None:
    few = hourly(baseline_samples=N)
    assert seen(cycle(1, 0)[:23], few).baseline.version == 0
    state = seen(cycle(1, 0), few)
    assert state.baseline.version == 1
    assert (state.baseline.begin_ms, state.baseline.end_ms) == (0, 24 * HOUR_MS)


def test_and_for_longer_where_there_are_not() -> None:
    assert seen(cycle(1, 0), hourly(baseline_samples=36 * N)).baseline.version == 0
    state = seen(cycle(2, 0), hourly(baseline_samples=36 * N))
    assert state.baseline.end_ms == 36 * HOUR_MS
    assert state.baseline.n == 36 * N


def test_each_hour_has_counts_of_its_own() -> None:
    panes = cycle(1, 3)
    state = seen(panes, hourly())
    assert [state.baseline.season(p.start_ms, 2) for p in panes] == [p.counts for p in panes]
    assert state.baseline.season(30 * HOUR_MS, 2) == panes[6].counts
    assert state.baseline.all_day(2) == tuple(np.sum([p.counts for p in panes], axis=0))


def test_the_bounds_share_one_error() -> None:
    """All 24 hold at once with probability .95, by simulation."""
    watching, hits = hourly(), 0
    rng = np.random.default_rng(5)
    means = np.linspace(0.7, 0.95, 24)
    for passes in rng.binomial(N, means, size=(400, 24)):
        counts = np.stack([N - passes, passes], axis=1).ravel()
        found = bounds(Baseline(tuple(counts.tolist()), 0, HOUR_MS, 1), watching)
        hits += bool((np.array(found) <= means).all())
    assert 1 - hits / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_a_pane_is_compared_with_its_hour() -> None:
    state = seen(cycle(1, 3), hourly())
    nulls = [null_mean(state, h * HOUR_MS, hourly()) for h in range(24)]
    assert nulls[6] == null_mean(state, 54 * HOUR_MS, hourly())
    assert nulls[6] is not None
    assert nulls[18] is not None
    assert nulls[6] > nulls[18]


def test_an_hour_without_scores_finds_no_drop() -> None:
    panes = [p for p in cycle(2, 0) if p.start_ms // HOUR_MS % 24 != 18]
    enough = hourly(baseline_samples=20 * N)
    assert null_mean(seen(panes, enough), 18 * HOUR_MS, enough) == 0.0


@pytest.mark.slow
def test_a_daily_cycle_alarms_a_flat_baseline_and_not_a_seasonal_one() -> None:
    """Ten days of +-6 points: the flat one is pinned in the good half of the first day."""
    seasonal = hourly(baseline_samples=5 * 24 * N)
    flat = hourly(baseline_samples=12 * N, seasons=1)
    paths = [cycle(10, seed) for seed in range(20)]
    assert sum(alarmed(path, flat) for path in paths) >= 18
    assert sum(alarmed(path, seasonal) for path in paths) <= 1


def test_a_drop_within_the_cycle_is_found() -> None:
    seasonal = hourly(baseline_samples=5 * 24 * N)
    assert all(alarmed(cycle(8, seed, drop=0.25), seasonal) for seed in range(5))


@pytest.mark.slow
def test_false_alarms_of_a_seasonal_baseline_keep_to_the_budget() -> None:
    """P(alarm within T panes) <= baseline_alpha + T / A, here .05 + 72 / 360."""
    eager = hourly(smallest_effect=0.0, log_threshold=float(np.log(360.0)))
    found = sum(alarmed(cycle(4, seed), eager) for seed in range(200))
    assert found / 200 <= 0.05 + 0.2 + 3 * (0.25 * 0.75 / 200) ** 0.5
