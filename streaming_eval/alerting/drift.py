"""Has the distribution of a series moved, whichever way: cells frozen with the baseline, and bets.

A drop of the mean is the business of the alarm beside this one. This one sees a judge that gives
fewer middle grades, prompts that grow longer, a segment that gains share. Two detectors look: bets
on each cell against the rest, which know the baseline's bounds and may look into an open pane, and
for ordered cells an alarm on ranks, which needs no bounds and sees small shifts sooner. They share
the budget: the alarm opens when one of them reaches twice the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import numpy as np

from streaming_eval.alerting.alarm import Alarm, AlertKind
from streaming_eval.alerting.baseline import season_of
from streaming_eval.stats.cells import QuantileCells
from streaming_eval.stats.conformal import RankAlarm
from streaming_eval.stats.drift import CellEvidence, OneVsRest
from streaming_eval.stats.e_detector import LOG_ZERO, either, log_evidence, step
from streaming_eval.stats.levels import Counts, level_values
from streaming_eval.stats.tail_cells import TailCells

_SHOWN = 3  # cells that an alert names


class Tail(StrEnum):
    """Where a quantity's largest values lie on [0, 1], if they are watched apart."""

    NONE = "none"
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class DriftPlan:
    """How the distribution of a series is watched.

    Attributes:
        levels: values that are counted: grid points of a score, or categories.
        ordered: whether they have an order; categories are compared one by one.
        tolerance: change of a cell's share that is not worth an alarm, on [0, 1).
        log_threshold: log evidence that opens the alarm.
        log_suspect: log evidence that is worth a look.
        enough: scores since the baseline after which silence means that little has changed.
        alarm: whether the alarm may open at all.
        alpha: probability that a bound of the baseline's shares is wrong.
        tail: which end has cells of its own for few values.
    """

    levels: int
    ordered: bool
    tolerance: float
    log_threshold: float
    log_suspect: float
    enough: int = 2_500
    alarm: bool = True
    alpha: float = 0.05
    tail: Tail = Tail.NONE


@dataclass(frozen=True, slots=True)
class Drift:
    """What is remembered of a distribution; the default is one that is compared with nothing.

    Attributes:
        version: of the baseline that it is compared with; 0 for none.
        edges: upper ends of the ordered cells but the last, on [0, 1]; empty for categories.
        baseline: counts per cell; of a seasonal baseline 24 times, once for each hour of the day.
        log_m: log evidence of each bet on a cell after the last closed pane.
        page_sums: per cell and way, the largest sum of log factors over any stretch up to now.
        page_began_ms: per cell and way, start of that stretch's first pane.
        page_n: per cell and way, scores in that stretch.
        ranks: the alarm on ranks; None for categories, and where hours differ.
        alarm: how the open alarm opened; None while none is open.
    """

    version: int = 0
    edges: tuple[float, ...] = ()
    baseline: tuple[int, ...] = ()
    log_m: tuple[float, ...] = ()
    page_sums: tuple[float, ...] = ()
    page_began_ms: tuple[int, ...] = ()
    page_n: tuple[int, ...] = ()
    ranks: RankAlarm | None = None
    alarm: Alarm | None = None


NO_DRIFT = Drift()


def begin(seasons: Sequence[Sequence[int]], version: int, plan: DriftPlan) -> Drift:
    """A drift that is compared with a baseline from now on, and of which nothing is known yet.

    Args:
        seasons: counts of the baseline per level, of each of its 1 or 24 parts.
        version: of the baseline.
        plan: how the distribution is watched.
    """
    counts = np.asarray(seasons, np.int64)
    edges = _edges(counts.sum(axis=0), plan) if plan.ordered else ()
    cells = _gathered(counts, edges)
    baseline = tuple(cells.ravel().tolist())
    ways = 2 * cells.shape[1]
    return Drift(
        version=version,
        edges=edges,
        baseline=baseline,
        log_m=tuple(_bets(tuple(cells[0].tolist()), 1, plan).nothing.tolist()),
        page_sums=(0.0,) * ways,
        page_began_ms=(0,) * ways,
        page_n=(0,) * ways,
        ranks=RankAlarm(baseline) if plan.ordered and len(counts) == 1 else None,
    )


def tick(drift: Drift, start_ms: int, counts: Sequence[int], plan: DriftPlan) -> Drift:
    """The drift after a closed pane.

    Args:
        drift: before it, compared with a baseline.
        start_ms: of the pane.
        counts: of the pane per level.
        plan: how the distribution is watched.
    """
    after = _stepped(drift, start_ms, counts, plan)
    if after.ranks is not None:
        cells = _gathered(np.asarray(counts, np.int64), drift.edges)
        after = replace(after, ranks=after.ranks.tick(cells, start_ms))
    return _looked(after, start_ms, plan)


def look(drift: Drift, start_ms: int, counts: Sequence[int], plan: DriftPlan) -> Drift:
    """The drift as if an open pane closed as it is; ranks cannot be taken before it has."""
    return _looked(_stepped(drift, start_ms, counts, plan), start_ms, plan)


def evidence(drift: Drift) -> float:
    """Log evidence of a drift; -700 stands for none."""
    if not drift.version:
        return LOG_ZERO
    of_cells = log_evidence(np.array(drift.log_m))
    if drift.ranks is None:
        return float(of_cells)
    return float(either(of_cells, drift.ranks.log_evidence))


def moved(drift: Drift, plan: DriftPlan) -> tuple[CellEvidence, ...]:
    """The cells that speak most for a drift, strongest first; none where nothing does."""
    if not drift.version:
        return ()
    found = _season(drift, 0, plan).explain(np.array(drift.log_m), _SHOWN)
    return tuple(cell for cell in found if cell.log_evidence > 0.0)


def shares(drift: Drift) -> tuple[float, ...]:
    """Share of the baseline in each cell, all hours together; empty where there is none."""
    cells = len(drift.page_sums) // 2
    n = sum(drift.baseline)
    return tuple(sum(drift.baseline[cell::cells]) / n for cell in range(cells)) if n else ()


def _edges(counts: Counts, plan: DriftPlan) -> tuple[float, ...]:
    """Edges of cells that the baseline fills about equally but for a tail, or around one value."""
    values = level_values(plan.levels)
    if plan.tail is Tail.NONE:
        cells = QuantileCells.of_counts(values, counts)
        edges = cells.edges if cells else ()
    else:
        edges = TailCells(plan.tail is Tail.HIGH, plan.alpha).edges(counts)
    if edges:
        return edges
    only = int(np.argmax(counts))
    around = (only - 1, only)
    return tuple(float(values[at]) for at in around if 0 <= at < plan.levels - 1)


def _gathered(counts: Counts, edges: tuple[float, ...]) -> Counts:
    return counts @ _membership(edges, counts.shape[-1]) if edges else counts


@lru_cache(maxsize=8_192)
def _membership(edges: tuple[float, ...], levels: int) -> Counts:
    """1 where a level [levels, cells] lies in a cell, else 0."""
    return QuantileCells(edges).gather(level_values(levels), np.eye(levels, dtype=np.int64))


def _season(drift: Drift, start_ms: int, plan: DriftPlan) -> OneVsRest:
    """The bets of the part of the baseline that a pane is compared with."""
    cells = len(drift.page_sums) // 2
    seasons = len(drift.baseline) // cells
    at = season_of(start_ms, seasons) * cells
    return _bets(drift.baseline[at : at + cells], seasons, plan)


@lru_cache(maxsize=65_536)
def _bets(baseline: tuple[int, ...], seasons: int, plan: DriftPlan) -> OneVsRest:
    return OneVsRest.of_baseline(baseline, plan.alpha / seasons, plan.tolerance)


def _stepped(drift: Drift, start_ms: int, counts: Sequence[int], plan: DriftPlan) -> Drift:
    cells = _gathered(np.asarray(counts, np.int64), drift.edges)
    increments = _season(drift, start_ms, plan).increments(cells)
    of_ways = log_evidence(increments.reshape(len(drift.page_sums), -1))
    sums = np.array(drift.page_sums)
    running = sums > 0.0
    return replace(
        drift,
        log_m=tuple(step(np.array(drift.log_m), increments).tolist()),
        page_sums=tuple(np.maximum(sums + of_ways, 0.0).tolist()),
        page_began_ms=tuple(np.where(running, drift.page_began_ms, start_ms).tolist()),
        page_n=tuple((np.where(running, drift.page_n, 0) + int(cells.sum())).tolist()),
    )


def _looked(drift: Drift, start_ms: int, plan: DriftPlan) -> Drift:
    """The drift whose alarm has opened, if its evidence is enough."""
    now = evidence(drift)
    if not plan.alarm or drift.alarm is not None or now < plan.log_threshold:
        return drift
    way = int(np.argmax(drift.page_sums))
    began_ms, n = drift.page_began_ms[way], drift.page_n[way]
    return replace(drift, alarm=Alarm(start_ms, began_ms, now, n, AlertKind.DRIFT))
