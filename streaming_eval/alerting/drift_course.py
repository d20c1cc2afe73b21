"""How the drift of a series follows its panes: the arithmetic is in `drift`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from streaming_eval.alerting import drift as drifts
from streaming_eval.alerting.alarm import Transition
from streaming_eval.alerting.drift import Drift, DriftPlan
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.alerting.state import Pane, SeriesState
from streaming_eval.stats.drift import CellEvidence


def with_drift(state: SeriesState, closed: Sequence[Pane], plan: SeriesPlan) -> SeriesState:
    """The state whose distribution has followed closed panes, and been looked at in open ones.

    A constant baseline has no distribution: nothing is followed until a baseline is promoted.
    """
    watched = plan.drift
    if watched is None or not state.baseline.n:
        return state
    before = _compared(state, plan, watched)

    def tick(drift: Drift, pane: Pane) -> Drift:
        return drifts.tick(drift, pane.start_ms, levels(pane.counts, plan), watched)

    after = reduce(tick, filter(state.armed, closed), before)
    opened = after.alarm or _ahead(after, state, plan, watched).alarm
    transitions = state.transitions
    if opened is not None and before.alarm is None:
        transitions = (*transitions, Transition(opened))
    return replace(state, drift=replace(after, alarm=opened), transitions=transitions)


def drift_reading(state: SeriesState, plan: SeriesPlan) -> tuple[float, tuple[CellEvidence, ...]]:
    """Log evidence of a drift, now, -700 for none; and the cells that say so, strongest first."""
    now = _now(state, plan)
    cells = () if plan.drift is None else drifts.moved(now, plan.drift)
    return drifts.evidence(now), cells


def levels(counts: Sequence[int], plan: SeriesPlan) -> tuple[int, ...]:
    """Counts per level, whatever they weigh: a drift is one of what was scored."""
    if len(plan.grid.shares) == 1:
        return tuple(counts)
    by_share = np.reshape(counts, (len(plan.grid.shares), plan.grid.levels))
    return tuple(by_share.sum(axis=0).tolist())


def _compared(state: SeriesState, plan: SeriesPlan, drift: DriftPlan) -> Drift:
    """The drift that is compared with the baseline in force."""
    if state.drift.version == state.baseline.version:
        return state.drift
    cells = plan.grid.cells
    parts = (
        state.baseline.counts[at * cells : (at + 1) * cells]
        for at in range(state.baseline.seasons(cells))
    )
    return drifts.begin([levels(part, plan) for part in parts], state.baseline.version, drift)


def _now(state: SeriesState, plan: SeriesPlan) -> Drift:
    if plan.drift is None or not state.drift.version:
        return state.drift
    return _ahead(state.drift, state, plan, plan.drift)


def _ahead(drift: Drift, state: SeriesState, plan: SeriesPlan, watched: DriftPlan) -> Drift:
    """The drift as if the open panes that may be looked at closed as they are."""
    looked_at = state.open_panes if plan.looks_early else ()

    def look(drift: Drift, pane: Pane) -> Drift:
        return drifts.look(drift, pane.start_ms, levels(pane.counts, plan), watched)

    return reduce(look, filter(state.armed, looked_at), drift)
