"""A plan to vary, and series to feed to it."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from streaming_eval.alerting import SeriesPlan, SeriesState, close, observe

PANE_MS = 60_000
FAR_MS = 10**12

_PLAN: dict[str, Any] = {
    "levels": 2,
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


def panes(counts: Iterable[Sequence[int]], first: int = 0) -> dict[int, Sequence[int]]:
    """Counts of consecutive panes, by start."""
    return {(first + index) * PANE_MS: row for index, row in enumerate(counts)}


def drawn(shares: Sequence[Sequence[float]], n: int, seed: int) -> list[list[int]]:
    """Counts of n scores in each pane, drawn with that pane's level shares."""
    rng = np.random.default_rng(seed)
    return [rng.multinomial(n, pane).tolist() for pane in shares]


def seen(counts: Iterable[Sequence[int]], series_plan: SeriesPlan) -> SeriesState:
    """The state after all these panes came at once and are still open."""
    return observe(SeriesState(), panes(counts), 0, -FAR_MS, series_plan)


def watched(counts: Iterable[Sequence[int]], series_plan: SeriesPlan) -> SeriesState:
    """The state after all these panes came at once and closed."""
    return close(seen(counts, series_plan), FAR_MS, series_plan)
