"""Quantiles and tails of latencies and costs, from scores to what people read; no Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from streaming_eval.adapters.exposition import render
from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import Pane, SeriesState, expire, observe
from streaming_eval.alerting.drift import Tail
from streaming_eval.pipeline.board import Board
from streaming_eval.pipeline.estimate import Estimate, QuantileEstimate
from streaming_eval.pipeline.estimates import IntervalPlan, estimates
from streaming_eval.pipeline.monitor_rows import estimates_table
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.series_processor import STATE
from streaming_eval.pipeline.series_report import Advance
from streaming_eval.pipeline.series_report import report as reported
from streaming_eval.pipeline.window_rows import SINCE_BASELINE
from streaming_eval.records import ALL_SEGMENTS, SeriesKey
from streaming_eval.snapshot import Promises, QuantileView
from streaming_eval.stats.levels import to_levels
from tests.pipeline.fleet import PANE_MS, plan
from tests.pipeline.reports import report

INTERVALS = IntervalPlan(alpha=0.05, expected_n=1_000, window_label="5m")
PRICES = {
    "currency": "EUR",
    "models": [{"model": f"org/{n}", "input": 1, "output": 4} for n in ("small", "large")],
}
LATENCY: Mapping[str, object] = {"kind": "latency_ms", "logarithmic": True, "drift": True}
COST: Mapping[str, object] = {"kind": "cost", "cap_cost": 0.1}
LENGTH: Mapping[str, object] = {"kind": "response_chars"}
QUANTITIES = pytest.mark.parametrize("scorer", [LATENCY, COST, LENGTH], ids=lambda s: s["kind"])
MEDIAN = {"latency_ms": 900.0, "cost": 0.0004, "response_chars": 700.0}
BASELINE_N, PER_PANE = 5_000, 50


def watched(scorer: Mapping[str, object], **monitor: object) -> tuple[MonitorPlan, SeriesKey]:
    """A fleet of one scorer, and its series of production's."""
    made = plan(
        scorers=[scorer],
        comparisons=[],
        prices=PRICES,
        monitor={"pane": "1m", "window": "5m", "allowed_lateness": "1m", **monitor},
    )
    ((name, version),) = made.layout.scales
    return made, SeriesKey("assistant", ALL_SEGMENTS, name, version)


def amounts(kind: str, n: int, seed: int, tail: float = 0.0) -> np.ndarray:
    """Lognormal ones, of which an additional part `tail` is five times as large."""
    rng = np.random.default_rng(seed)
    usual = MEDIAN[kind] * np.exp(rng.normal(0.0, 0.5, n))
    return np.where(rng.random(n) < tail, 5.0 * usual, usual)


def counted(values: np.ndarray, monitor: MonitorPlan, key: SeriesKey, seed: int = 0) -> list[int]:
    scale = monitor.scale(key)
    levels = to_levels(values, scale, np.random.default_rng(seed).random(len(values)))
    counts: list[int] = np.bincount(levels, minlength=scale.levels).tolist()
    return counts


def estimated(counts: list[int], monitor: MonitorPlan, key: SeriesKey) -> Estimate:
    return estimates([report(key, counts, since=counts)], monitor, INTERVALS)[0]


@QUANTITIES
def test_every_window_of_a_quantity_has_its_quantiles(scorer: Mapping[str, object]) -> None:
    monitor, key = watched(scorer)
    values = amounts(key.scorer, 4_000, seed=1)
    for window in estimates(
        [report(key, counted(values, monitor, key), since=counted(values, monitor, key))],
        monitor,
        INTERVALS,
    ):
        assert [q.p for q in window.quantiles] == [0.5, 0.95, 0.99]
        for q in window.quantiles:
            truth = float(np.quantile(values, q.p))
            assert q.upper is not None
            assert q.lower < truth < q.upper
            assert q.value == pytest.approx(truth, rel=0.05)
        median = window.quantiles[0]
        assert median.upper is not None and median.upper / median.lower < 1.5


def test_the_highest_quantile_of_few_scores_has_no_upper_limit() -> None:
    monitor, key = watched(LATENCY)
    few = estimated(counted(amounts("latency_ms", 60, seed=2), monitor, key), monitor, key)
    assert [q.upper is None for q in few.quantiles] == [False, True, True]


def test_what_lies_beyond_the_cap_has_no_upper_limit_either() -> None:
    monitor, key = watched(LATENCY)
    slow = estimated(counted(np.full(5_000, 1e9), monitor, key), monitor, key)
    assert [q.value for q in slow.quantiles] == pytest.approx([60_000.0] * 3)
    assert [q.upper for q in slow.quantiles] == [None] * 3


def test_other_scores_none_at_all_and_weighted_ones_have_no_quantiles() -> None:
    monitor, key = watched({"kind": "token_f1"})
    assert estimated([5] * 65, monitor, key).quantiles == ()
    monitor, key = watched(LATENCY)
    assert estimated([0] * 129, monitor, key).quantiles == ()
    monitor, key = watched(LATENCY, max_weight=8)
    cells = monitor.series(key).grid.cells
    assert cells > 129
    assert estimated([3] * cells, monitor, key).quantiles == ()


def test_a_difference_of_two_models_has_no_quantiles() -> None:
    monitor = plan(scorers=[LATENCY])
    ((name, version),) = monitor.layout.scales
    pair = SeriesKey("small", ALL_SEGMENTS, name, version, against="large")
    assert estimated([0] * 30 + [90] + [0] * 34, monitor, pair).quantiles == ()


def test_quantiles_survive_the_table_and_a_restart(tmp_path: Path) -> None:
    monitor, key = watched(LATENCY)
    counts = counted(amounts("latency_ms", 60, seed=3), monitor, key)
    window = estimated(counts, monitor, key)
    rows = estimates_table([window], 1, 1_000)
    assert rows["quantiles"].to_pylist()[0] == [asdict(q) for q in window.quantiles]
    tables = Tables(tmp_path)
    tables.append("estimates", rows, "app", 1)
    promises = Promises(0.05, 1.0, frozenset())
    live, restored = Board(promises, 10_000), Board(promises, 10_000)
    live.update([window], 1_000)
    restored.restore(tables, 2_000)
    assert restored.snapshot(2_000) == live.snapshot(2_000)
    (view,) = restored.snapshot(2_000).estimates
    assert view.quantiles == tuple(QuantileView(**asdict(q)) for q in window.quantiles)


def test_a_table_of_an_earlier_version_is_given_the_column(tmp_path: Path) -> None:
    monitor, key = watched(LATENCY)
    window = estimated(counted(amounts("latency_ms", 60, seed=3), monitor, key), monitor, key)
    from deltalake import write_deltalake

    rows = estimates_table([window], 1, 1_000)
    old = tmp_path / "tables" / "estimates"
    write_deltalake(str(old), rows.drop_columns(["quantiles"]), partition_by=["updated_date"])
    tables = Tables(tmp_path)
    tables.append("estimates", rows, "app", 2)
    held = tables.read("estimates", ["quantiles"])["quantiles"].to_pylist()
    assert sorted(held, key=lambda row: row is not None) == [None, rows["quantiles"][0].as_py()]


def test_prometheus_is_told_each_limit_that_there_is() -> None:
    monitor, key = watched(LATENCY)
    window = estimated(counted(amounts("latency_ms", 60, seed=3), monitor, key), monitor, key)
    board = Board(Promises(0.05, 1.0, frozenset()), 10_000)
    board.update([window], 1_000)
    page = render(board.snapshot(1_000)).decode()
    lines = [line for line in page.splitlines() if line.startswith("streaming_eval_score_quantile")]
    assert len(lines) == 3 + 3 + 1
    labels = 'model="assistant",segment="__all__",scorer="latency_ms",window="5m"'
    median = window.quantiles[0]
    assert (
        f'streaming_eval_score_quantile_upper{{{labels},percentile="50"}} {median.upper}' in lines
    )
    assert not [line for line in lines if "_upper" in line and 'percentile="99"' in line]


def lived(
    key: SeriesKey, monitor: MonitorPlan, tail: float, panes: int
) -> tuple[SeriesState, SeriesState]:
    """The states before and after the last pane of a baseline and so many panes with a tail."""
    series, state = monitor.series(key), SeriesState()
    before = state
    total = BASELINE_N // PER_PANE + panes
    for pane in range(total):
        now = tail if pane >= BASELINE_N // PER_PANE else 0.0
        counts = counted(amounts(key.scorer, PER_PANE, pane, now), monitor, key, seed=pane)
        before, _ = expire(state, pane * PANE_MS, series)
        state = observe(before, [Pane(pane * PANE_MS, tuple(counts))], pane * PANE_MS, series)
        if state.transitions:
            break
    return before, state


@QUANTITIES
def test_a_tail_that_grows_raises_the_alarm_and_is_called_by_its_percentile(
    scorer: Mapping[str, object],
) -> None:
    """Four answers in a hundred become five times as dear, slow or long: no median shows it."""
    monitor, key = watched(scorer, baseline={"kind": "pinned", "samples": BASELINE_N})
    before, after = lived(key, monitor, tail=0.04, panes=60)
    assert after.drift.alarm is not None
    assert after.alarm is None, "its mean has hardly moved"
    made = reported(Advance(str(key), before, after, ()), monitor.series(key))
    window = estimates([made], monitor, INTERVALS)[0]
    assert window.drift is not None
    words = window.drift.cells[0]
    unit = {"latency_ms": "ms", "cost": "EUR", "response_chars": "characters"}[key.scorer]
    assert words.startswith("above ")
    assert words.endswith(f" {unit}, the baseline's 99th percentile: more")
    said = float(words.split()[1].replace(",", ""))
    truth = MEDIAN[key.scorer] * np.exp(0.5 * 2.326)
    assert said == pytest.approx(truth, rel=0.15)


def test_a_tail_that_stays_raises_none_and_the_state_is_small() -> None:
    monitor, key = watched(LATENCY, baseline={"kind": "pinned", "samples": BASELINE_N})
    _, after = lived(key, monitor, tail=0.0, panes=100)
    assert after.drift.alarm is None
    (text,) = STATE.pack(after)
    assert json.loads(text)
    assert len(text.encode()) < 9_000


def test_the_tail_of_what_is_better_small_lies_at_the_low_levels() -> None:
    tails = {}
    for scorer in (LATENCY, COST, LENGTH, {"kind": "contains"}):
        monitor, key = watched(scorer)
        drift = monitor.series(key).drift
        assert drift is not None
        tails[key.scorer] = drift.tail
    assert tails == {
        "latency_ms": Tail.LOW,
        "cost": Tail.LOW,
        "response_chars": Tail.HIGH,
        "contains": Tail.NONE,
    }


def test_the_since_baseline_window_has_quantiles_of_all_panes() -> None:
    monitor, key = watched(LATENCY, baseline={"kind": "pinned", "samples": 500})
    before, after = lived(key, monitor, tail=0.0, panes=20)
    made = reported(Advance(str(key), before, after, ()), monitor.series(key))
    (since,) = (e for e in estimates([made], monitor, INTERVALS) if e.window == SINCE_BASELINE)
    assert since.n == BASELINE_N + 20 * PER_PANE - 500
    assert isinstance(since.quantiles[0], QuantileEstimate)
    assert since.quantiles[0].value == pytest.approx(900.0, rel=0.03)
