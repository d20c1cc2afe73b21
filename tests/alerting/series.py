"""A plan to vary, and series to feed to it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from streaming_eval.alerting import Pane, SeriesPlan, SeriesState, Transition, close, observe
from streaming_eval.stats.grid import Grid

PANE_MS = 60_000
FAR_MS = 10**12

_PLAN: dict[str, Any] = {
    "grid": Grid(2),
    "pane_ms": PANE_MS,
    "window_ms": 5 * PANE_MS,
    "baseline_samples": None,
    "baseline_constant": 0.9,
    "smallest_effect": 0.02,
    "log_threshold": np.log(1e4),
    "log_suspect": np.log(1e2),
    "alarm": True,
}


def plan(**changes: object) -> SeriesPlan:
    """A pass/fail series with a constant baseline of .9, but for `changes`."""
    return SeriesPlan(**{**_PLAN, **changes})


def pinned_plan(samples: int, **changes: object) -> SeriesPlan:
    """The same with a baseline of its first `samples` scores."""
    return plan(baseline_samples=samples, baseline_constant=None, **changes)


def panes(counts: Iterable[Sequence[int]], first: int = 0) -> list[Pane]:
    """Consecutive panes with these counts."""
    return [Pane((first + index) * PANE_MS, tuple(row)) for index, row in enumerate(counts)]


def at(counts: Mapping[int, Sequence[int]], missing: int = 0) -> list[Pane]:
    """Panes by start, each with so many missing scores."""
    return [Pane(start_ms, tuple(row), missing) for start_ms, row in counts.items()]


def drawn(shares: Sequence[Sequence[float]], n: int, seed: int) -> list[list[int]]:
    """Counts of n scores in each pane, drawn with that pane's level shares."""
    rng = np.random.default_rng(seed)
    return [rng.multinomial(n, pane).tolist() for pane in shares]


def seen(counts: Iterable[Sequence[int]], series_plan: SeriesPlan) -> SeriesState:
    """The state after all these panes came at once and are still open."""
    return observe(SeriesState(), panes(counts), -FAR_MS, series_plan)


def fed(
    counts: Iterable[Sequence[int]], series_plan: SeriesPlan, state: SeriesState, first: int = 0
) -> tuple[SeriesState, list[Transition]]:
    """The state after these panes came one by one, each closing the one before, and what ended."""
    passed: list[Transition] = []
    for index, row in enumerate(counts, start=first):
        state = observe(state, panes([row], index), index * PANE_MS, series_plan)
        passed += state.transitions
    return state, passed


def watched(counts: Iterable[Sequence[int]], series_plan: SeriesPlan) -> SeriesState:
    """The state after all these panes came at once and closed."""
    return close(seen(counts, series_plan), FAR_MS, series_plan)
