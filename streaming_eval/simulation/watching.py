"""Many series of one plan watched at once: the arithmetic of `alerting.observe`, in columns.

A series ticks once per pane that holds a score, after its baseline is pinned, as a real one does
when the watermark has closed the pane. A real one also looks inside open panes, so its alarm may
come earlier by less than a pane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming_eval.alerting import Baseline, SeriesPlan
from streaming_eval.alerting.detector import drops_below, null_mean
from streaming_eval.stats.e_detector import BETS, LOG_ZERO, log_evidence, step
from streaming_eval.stats.levels import Counts, Floats

NEVER = -1
_CELLS = 1 << 21  # numbers drawn at a time
_LEAST_PANES, _MOST_PANES = 16, 2_048

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """Where the bets of several series stand.

    Attributes:
        factors: log factor of each bet for one score, by series, level and bet [S, K, 12].
        log_m: log M, by series and bet [S, 12].
    """

    factors: Floats
    log_m: Floats

    @classmethod
    def begin(cls, baselines: Iterable[tuple[int, ...]], plan: SeriesPlan) -> Watch:
        """The watch over series with these baselines, before their first tick."""
        one_score = np.eye(plan.grid.cells, dtype=np.int64)
        nulls = (null_mean(Baseline(counts), 0, plan) for counts in baselines)
        bets = (drops_below(null, plan.grid) for null in nulls)
        factors = np.stack([bet.increments(one_score, plan.grid) for bet in bets])
        return cls(factors, np.full((len(factors), BETS), LOG_ZERO))

    def only(self, chosen: NDArray[np.bool_]) -> Watch:
        """The watch over some of the series."""
        return Watch(self.factors[chosen], self.log_m[chosen])


@dataclass(frozen=True, slots=True)
class Openings:
    """When alarms opened, by series.

    Attributes:
        panes: panes up to the one that opened it, that one included; `NEVER` where none did.
        samples: scores up to then; of no meaning where none did.
        watch: where the bets stand at the end.
    """

    panes: Counts
    samples: Counts
    watch: Watch


def opened_at(watch: Watch, counts: Counts, log_threshold: float) -> tuple[Watch, Counts]:
    """The watch after these panes, and the index of the first one that opened each alarm.

    Args:
        watch: before them.
        counts: by pane, series and level [P, S, K].
        log_threshold: log evidence that opens an alarm.
    """
    # Series first, as matmul wants it; panes first again, as the loop reads them.
    increments = np.matmul(counts.transpose(1, 0, 2).astype(np.float64), watch.factors)
    increments = np.ascontiguousarray(increments.transpose(1, 0, 2))
    ticks = counts.sum(axis=2) > 0
    opened = np.full(counts.shape[1], NEVER)
    log_m = watch.log_m
    for pane, (increment, ticking) in enumerate(zip(increments, ticks, strict=True)):
        grown = step(log_m, increment)
        log_m = grown if ticking.all() else np.where(ticking[:, None], grown, log_m)
        if log_m.max() >= log_threshold:  # an average is never above the largest
            over = ticking & (opened == NEVER) & (log_evidence(log_m) >= log_threshold)
            opened[over] = pane
    return Watch(watch.factors, log_m), opened


def run(
    watch: Watch,
    rates: Floats,
    panes: int,
    log_threshold: float,
    rng: np.random.Generator,
    tell: Tell,
) -> Openings:
    """Draws panes of scores until every alarm has opened or `panes` have passed.

    Args:
        watch: where the bets stand.
        rates: expected scores of each level in a pane [K].
        panes: at most so many.
        log_threshold: log evidence that opens an alarm.
        rng: of the draws.
        tell: is told the share of the panes that have passed.
    """
    series = len(watch.log_m)
    opened, samples = np.full(series, NEVER), np.zeros(series, np.int64)
    log_m = watch.log_m.copy()
    at_once = int(np.clip(_CELLS // (series * max(rates.size, BETS)), _LEAST_PANES, _MOST_PANES))
    for first in range(0, panes, at_once):
        quiet = opened == NEVER
        if not quiet.any():
            break
        shape = (min(at_once, panes - first), int(quiet.sum()), rates.size)
        counts = rng.poisson(rates, shape)
        after, pane = opened_at(Watch(watch.factors[quiet], log_m[quiet]), counts, log_threshold)
        log_m[quiet] = after.log_m
        last = np.where(pane == NEVER, shape[0] - 1, pane)
        so_far = counts.sum(axis=2).cumsum(axis=0)
        samples[quiet] += so_far[last, np.arange(shape[1])]
        opened[quiet] = np.where(pane == NEVER, NEVER, first + pane + 1)
        tell(min(1.0, (first + at_once) / panes))
    return Openings(opened, samples, Watch(watch.factors, log_m))
