from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import MonitorState
from streaming_eval.pipeline.board import Board
from streaming_eval.pipeline.estimate import Estimate
from streaming_eval.pipeline.monitor_rows import estimates_table
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import EstimateView, Promises
from tests.pipeline.estimated import KEY, estimate

PROMISES = Promises(0.05, 604_800.0, frozenset({"contains"}))
FORGET_MS = 3_600_000
NOW_MS = 1_700_000_000_123
PAIR = SeriesKey("a|b", "tier=pro", "contains", "v1", "small")
UNKNOWN = {"mean": None, "baseline_mean": None, "effect": None, "window_start_ms": None}


class Job:
    """A board, and the table that everything shown on it is written to first."""

    def __init__(self, root: Path) -> None:
        self.tables = Tables(root)
        self.board = Board(PROMISES, FORGET_MS)
        self._batches = 0

    def show(self, *estimates: Estimate, at_ms: int = NOW_MS) -> None:
        rows = estimates_table(estimates, self._batches, at_ms)
        self.tables.append("estimates", rows, "job", self._batches)
        self._batches += 1
        self.board.update(estimates, at_ms)

    def shown(self, at_ms: int = NOW_MS) -> set[EstimateView]:
        return set(self.board.snapshot(at_ms).estimates)

    def restarted(self, at_ms: int = NOW_MS) -> set[EstimateView]:
        board = Board(PROMISES, FORGET_MS)
        board.restore(self.tables, at_ms)
        return set(board.snapshot(at_ms).estimates)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_an_estimate_is_shown_as_it_was_made(job: Job) -> None:
    job.show(estimate(state=MonitorState.SUSPECT))
    (view,) = job.board.snapshot(NOW_MS).estimates
    assert (view.key, view.window, view.n, view.state) == (KEY, "5m", 100, "suspect")
    assert (view.mean, view.lower, view.upper, view.baseline_mean) == (0.7, 0.6, 0.8, 0.9)
    assert (view.effect, view.effect_lower, view.effect_upper) == (-0.2, -0.3, -0.1)
    assert (view.log_evidence, view.log_threshold, view.missing) == (4.5, 12.25, 3)
    assert view.updated_ms == NOW_MS
    assert job.board.snapshot(NOW_MS).promises == PROMISES


def test_the_newest_window_is_shown_whatever_order_they_come_in(job: Job) -> None:
    old, new = estimate(window_start_ms=0, closed=True), estimate(window_start_ms=300_000, mean=0.1)
    for order in ((old, new), (new, old)):
        job.show(*order)
        assert [view.mean for view in job.shown()] == [0.1]
        assert job.restarted() == job.shown()


def test_a_window_is_shown_as_it_was_last_computed(job: Job) -> None:
    for n, mean in enumerate((0.3, 0.2, 0.4)):
        job.show(estimate(mean=mean), estimate(PAIR, mean=mean), at_ms=NOW_MS - 100 + n)
    assert {view.mean for view in job.shown()} == {0.4}
    assert len(job.shown()) == 2


def test_after_a_restart_the_board_shows_what_it_showed_before(job: Job) -> None:
    since = estimate(window="baseline", window_start_ms=60_000)
    collecting = estimate(PAIR, window="baseline", **UNKNOWN)
    job.show(estimate(window_start_ms=0), collecting, at_ms=NOW_MS - 50_000)
    job.show(estimate(window_start_ms=0, closed=True, mean=0.1), at_ms=NOW_MS - 40_000)
    job.show(estimate(), since, estimate(PAIR, effect_upper=None), at_ms=NOW_MS - 30_000)
    job.show(estimate(mean=0.65, state=MonitorState.REGRESSED), at_ms=NOW_MS - 20_000)
    job.show(replace(collecting, window_start_ms=600_000, mean=0.5), at_ms=NOW_MS)
    assert job.restarted() == job.shown()
    assert len(job.shown()) == 4


def test_two_reports_of_one_series_in_a_batch_leave_the_later_one(job: Job) -> None:
    """A timer may fire in the batch in which the series had scores."""
    job.show(estimate(mean=0.1), estimate(mean=0.2))
    assert [view.mean for view in job.shown()] == [0.2]
    assert job.restarted() == job.shown()


def test_a_quiet_series_disappears(job: Job) -> None:
    job.show(estimate(), at_ms=NOW_MS)
    job.show(estimate(PAIR), at_ms=NOW_MS + 1_000)
    assert len(job.shown(NOW_MS + FORGET_MS)) == 2
    later_ms = NOW_MS + FORGET_MS + 1
    assert job.restarted(later_ms) == job.shown(later_ms)
    assert [view.key for view in job.shown(later_ms)] == [PAIR]
    job.show(estimate(), at_ms=later_ms)
    assert len(job.shown(later_ms)) == 2, "and comes back with its next score"


def test_what_was_forgotten_long_ago_is_not_restored(job: Job) -> None:
    job.show(estimate(), at_ms=NOW_MS - 3 * 86_400_000)
    assert job.restarted() == set()


def test_an_empty_table_restores_an_empty_board(job: Job) -> None:
    assert job.restarted() == set()
