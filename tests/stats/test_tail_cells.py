"""Cells that end at the baseline's last quantiles, and bets on rare cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.stats.cells import QuantileCells
from streaming_eval.stats.drift import OneVsRest
from streaming_eval.stats.e_detector import log_evidence, step
from streaming_eval.stats.exceedance import needed
from streaming_eval.stats.levels import Scale, level_values, to_levels
from streaming_eval.stats.tail_cells import TAIL, TailCells, percentile

SLOW = Scale(0.0, 60_000.0, higher_is_better=False, levels=129, logarithmic=True)
TABLES = st.lists(st.integers(0, 300), min_size=2, max_size=60)
ENDS = pytest.mark.parametrize("rising", [True, False], ids=["tail high", "tail low"])


@given(TABLES, st.booleans())
def test_no_cell_is_empty_and_the_tail_begins_at_the_baselines_quantiles(
    counts: list[int], rising: bool
) -> None:
    edges = TailCells(rising, alpha=0.05).edges(counts)
    if not edges:
        return
    gathered = QuantileCells(edges).gather(level_values(len(counts)), counts)
    assert (gathered > 0).all()
    assert gathered.sum() == sum(counts)
    below = np.cumsum(gathered if rising else gathered[::-1])[:-1] / sum(counts)
    cumulative = np.cumsum(counts if rising else counts[::-1]) / sum(counts)
    for p in TAIL:
        reached = cumulative[cumulative >= p - 1e-12][0]
        if sum(counts) >= needed(p, 0.05) and reached < 1.0:
            assert np.isclose(below, reached).any(), f"no cell ends at the {p} quantile"


@ENDS
def test_many_values_make_tenths_and_then_a_tail(rising: bool) -> None:
    values = np.exp(np.random.default_rng(2).normal(7.0, 0.8, 20_000))
    counts = np.bincount(
        to_levels(values, SLOW, np.random.default_rng(3).random(20_000)), minlength=129
    )
    ordered = counts[::-1] if rising else counts
    edges = TailCells(rising, alpha=0.05).edges(ordered)
    shares = QuantileCells(edges).gather(level_values(129), ordered) / 20_000
    of_largest = shares[::-1] if rising else shares
    assert of_largest[0] <= 0.01
    assert of_largest[:2].sum() <= 0.05
    assert of_largest[:3].sum() <= 0.1
    assert of_largest[:3].sum() == pytest.approx(0.1, abs=0.03)
    assert len(shares) >= 10
    assert of_largest[3:].min() > 0.04


def test_the_other_end_is_the_mirror_image() -> None:
    counts = np.random.default_rng(4).integers(0, 200, 40)
    rising = np.array(TailCells(True, 0.05).edges(counts))
    falling = np.array(TailCells(False, 0.05).edges(counts[::-1]))
    assert falling == pytest.approx((1.0 - rising - 1.0 / 39)[::-1])


@pytest.mark.parametrize(("n", "quantiles"), [(28, 0), (29, 1), (59, 2), (298, 2), (299, 3)])
def test_a_quantile_ends_a_cell_only_where_the_baseline_can_know_it(n: int, quantiles: int) -> None:
    """One score per level: as many cells end in the last tenth as quantiles are known."""
    edges = TailCells(True, 0.05).edges([1] * n)
    levels = np.rint(np.array(edges) * (n - 1)) + 1
    last_tenth = levels[levels >= 0.9 * n - 1e-9]
    assert len(last_tenth) == (quantiles or 1)


@ENDS
@pytest.mark.parametrize("counts", [[0, 0, 0], [0, 900, 0], [0, 0, 5_000]])
def test_one_value_alone_makes_no_cells(counts: list[int], rising: bool) -> None:
    assert TailCells(rising, 0.05).edges(counts) == ()


def test_a_share_names_the_quantile_that_it_reaches() -> None:
    assert [percentile(share) for share in (0.0, 0.89, 0.1 + 0.8, 0.97, 0.999)] == [
        None, None, 0.9, 0.95, 0.99,
    ]  # fmt: skip


def delay(baseline: int, times: float, seed: int) -> int:
    """Panes of 50 until the last of tenths and a tail is known to be `times` as common."""
    rng = np.random.default_rng(seed)
    before = np.array([0.1] * 9 + [0.05, 0.04, 0.01])
    after = before.copy()
    after[-1] *= times
    after[:-1] *= (1.0 - after[-1]) / after[:-1].sum()
    bets = OneVsRest.of_baseline(rng.multinomial(baseline, before))
    log_m = bets.nothing
    for pane in range(2_000):
        log_m = step(log_m, bets.increments(rng.multinomial(50, after)))
        if log_evidence(log_m) >= np.log(1e5):
            return pane + 1
    return 2_000


def test_exceedances_of_the_last_quantile_that_triple_are_found() -> None:
    """Some 2,200 scores, the median, with a baseline of 5,000; a third more is allowed."""
    found = [delay(5_000, 3.0, seed) for seed in range(25)]
    assert np.median(found) * 50 < 3_000


def test_a_tail_that_stays_raises_no_alarm_more_often_than_promised() -> None:
    """At most panes / threshold of the streams, with the cells and bounds of their own baseline."""
    rng = np.random.default_rng(6)
    streams, panes, threshold = 150, 200, 1_000.0
    alarmed = 0
    for _ in range(streams):
        values = np.exp(rng.normal(7.0, 0.8, 3_000 + 50 * panes))
        levels = to_levels(values, SLOW, rng.random(len(values)))
        baseline = np.bincount(levels[:3_000], minlength=129)
        cells = QuantileCells(TailCells(False, 0.05).edges(baseline))
        bets = OneVsRest.of_baseline(cells.gather(level_values(129), baseline))
        log_m, most = bets.nothing, -np.inf
        for row in levels[3_000:].reshape(panes, 50):
            counts = cells.gather(level_values(129), np.bincount(row, minlength=129))
            log_m = step(log_m, bets.increments(counts))
            most = max(most, float(log_evidence(log_m)))
        alarmed += most >= np.log(threshold)
    allowed = panes / threshold + 0.05  # and a bound of the baseline may be wrong
    assert alarmed / streams <= allowed
