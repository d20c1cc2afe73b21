"""The simulation decides as the product does, on the same counts."""

import numpy as np
import pytest

from streaming_eval.alerting import Pane, SeriesPlan, SeriesState, close, observe
from streaming_eval.simulation.watching import NEVER, Watch, opened_at, run
from streaming_eval.stats.levels import Counts
from tests.simulation.scenarios import PANE_MS, series_plan

SERIES, PANES = 12, 150


def as_the_product(baseline: Counts, later: Counts, plan: SeriesPlan) -> tuple[int, float]:
    """The pane after the baseline that opened the alarm, and the log evidence then."""
    counts = [baseline.tolist(), *later.tolist()]
    panes = [Pane(index * PANE_MS, tuple(row)) for index, row in enumerate(counts)]
    state = close(observe(SeriesState(), panes, -1, plan), 10**12, plan)
    opened = [step.alarm for step in state.transitions if step.resolution is None]
    if not opened:
        return NEVER, 0.0
    return opened[0].opened_ms // PANE_MS - 1, opened[0].log_evidence


@pytest.mark.parametrize("levels", [2, 3, 65])
@pytest.mark.parametrize("per_pane", [0.7, 30.0])
def test_alarms_open_in_the_same_panes_as_the_products_own(levels: int, per_pane: float) -> None:
    plan = series_plan(levels, smallest_effect=0.0, log_threshold=float(np.log(300)))
    rng = np.random.default_rng(levels)
    good = np.linspace(1.0, 3.0, levels) / np.linspace(1.0, 3.0, levels).sum()
    baselines = rng.multinomial(1_000, good, SERIES)
    shares = np.where(np.arange(PANES)[:, None] < PANES // 3, good, good[::-1])
    later = rng.poisson(per_pane * shares[:, None, :], (PANES, SERIES, levels))
    watch = Watch.begin([tuple(row) for row in baselines.tolist()], plan)
    half, first = opened_at(watch, later[: PANES // 2], plan.log_threshold)
    whole, _ = opened_at(half, later[PANES // 2 :], plan.log_threshold)
    _, at_once = opened_at(watch, later, plan.log_threshold)
    expected = [as_the_product(b, later[:, s], plan) for s, b in enumerate(baselines)]
    assert at_once.tolist() == [pane for pane, _ in expected]
    assert set(at_once.tolist()) != {NEVER}
    assert first.tolist() == [pane if pane < PANES // 2 else NEVER for pane in at_once.tolist()]
    assert whole.log_m == pytest.approx(opened_at(watch, later, 1e9)[0].log_m, rel=1e-12)


def test_what_is_counted_until_an_alarm_is_what_was_drawn() -> None:
    """With scores that are all bad, the alarm opens in the pane in which enough have come."""
    plan = series_plan(baseline_samples=None, baseline_constant=0.9)
    watch = Watch.begin([()] * 20, plan)
    rng = np.random.default_rng(0)
    told: list[float] = []
    found = run(watch, np.array([3.0, 0.0]), 500, plan.log_threshold, rng, told.append)
    assert found.panes.max() < 10
    assert (found.samples >= found.panes).all()
    assert found.samples.mean() / found.panes.mean() == pytest.approx(3.0, rel=0.2)
    assert told[-1] <= 1.0


def test_a_series_without_scores_never_ticks() -> None:
    plan = series_plan(baseline_samples=None, baseline_constant=0.9)
    watch = Watch.begin([()], plan)
    after, opened = opened_at(watch, np.zeros((50, 1, 2), np.int64), -800.0)
    assert opened.tolist() == [NEVER]
    assert (after.log_m == watch.log_m).all()
