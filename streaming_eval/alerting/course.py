"""A detector's course over a series' panes: the arithmetic that observing and reading share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streaming_eval.alerting.alarm import Alarm, ChangeEstimate, Resolution, Transition, Why
from streaming_eval.alerting.detector import drops_below, null_mean, rises_above
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.alerting.state import Pane, SeriesState
from streaming_eval.stats.e_detector import BETS, LOG_ZERO, Track, log_evidence, step
from streaming_eval.stats.levels import Floats


def total(cells: int, counts: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Sum per cell; an empty sequence counts for nothing.

    >>> total(2, [(), (1, 2), (0, 1)])
    (1, 3)
    """
    some = [row for row in counts if row]
    return tuple(map(sum, zip(*some, strict=True))) if some else (0,) * cells


@dataclass(frozen=True, slots=True)
class Weighed:
    """A pane with what it multiplies each bet on a drop by, in logarithms.

    Attributes:
        null_mean: what its scores are compared with.
    """

    pane: Pane
    null_mean: float
    increments: Floats


def weighed(panes: Sequence[Pane], state: SeriesState, plan: SeriesPlan) -> Iterator[Weighed]:
    """The panes that tick the detector, in order."""
    ticking = [pane for pane in panes if state.armed(pane)]
    nulls = [null_mean(state.baseline, pane.start_ms, plan) for pane in ticking]
    increments = np.empty((len(ticking), BETS))
    for null in set(nulls):
        rows = [row for row, other in enumerate(nulls) if other == null]
        counts = [ticking[row].counts for row in rows]
        increments[rows] = drops_below(null, plan.grid).increments(counts, plan.grid)
    return map(Weighed, ticking, nulls, increments)


@dataclass(frozen=True, slots=True)
class Course:
    """Where detector and alarm stand after a pane.

    Attributes:
        track: of the bets on a drop.
        recovery_log_m: log evidence of each bet on a recovery; None while no alarm is open.
    """

    track: Track
    recovery_log_m: Floats | None
    alarm: Alarm | None
    transitions: tuple[Transition, ...] = ()

    def tick(self, weighed: Weighed, plan: SeriesPlan) -> Course:
        """The course after a closed pane."""
        if self.alarm is None:
            return self.look(weighed, plan)
        return self._ticked(weighed)._recover(weighed, self.alarm, plan)

    def look(self, weighed: Weighed, plan: SeriesPlan) -> Course:
        """The course after a pane in which an alarm may open, but none may end."""
        now = self._ticked(weighed)
        alarm = _opened(weighed.pane, now.track, plan) if plan.alarm and not self.alarm else None
        if alarm is None:
            return now
        opening = (*self.transitions, Transition(alarm))
        return Course(now.track, np.full(BETS, LOG_ZERO), alarm, opening)

    def _ticked(self, weighed: Weighed) -> Course:
        pane = weighed.pane
        return replace(self, track=self.track.tick(pane.start_ms, pane.n, weighed.increments))

    def _recover(self, weighed: Weighed, alarm: Alarm, plan: SeriesPlan) -> Course:
        pane = weighed.pane
        if pane.start_ms <= alarm.opened_ms or self.recovery_log_m is None:
            return self
        bets = rises_above(weighed.null_mean, plan.grid)
        log_m = step(self.recovery_log_m, bets.increments(pane.counts, plan.grid))
        if log_evidence(log_m) < plan.log_recovered:
            return replace(self, recovery_log_m=log_m)
        ended = Transition(alarm, Resolution(Why.RECOVERED, pane.start_ms))
        return Course(_FRESH, None, None, (*self.transitions, ended))


def course(state: SeriesState) -> Course:
    """Where detector and alarm stood after the last closed pane."""
    track = Track(
        log_m=np.array(state.log_m),
        page_sums=np.array(state.page_sums),
        began_ms=np.array(state.page_began_ms, np.int64),
        n_since=np.array(state.page_n, np.int64),
    )
    recovery = np.array(state.recovery_log_m) if state.recovery_log_m else None
    return Course(track, recovery, state.alarm)


def with_course(state: SeriesState, closed: Course, ahead: Course) -> SeriesState:
    """The state that remembers a course, as plain numbers.

    Args:
        state: before it.
        closed: after the last closed pane.
        ahead: after the last open one, from `closed` on: of it, only the alarm is remembered.
    """
    recovery = ahead.recovery_log_m
    return replace(
        state,
        log_m=tuple(closed.track.log_m.tolist()),
        page_sums=tuple(closed.track.page_sums.tolist()),
        page_began_ms=tuple(closed.track.began_ms.tolist()),
        page_n=tuple(closed.track.n_since.tolist()),
        recovery_log_m=() if recovery is None else tuple(recovery.tolist()),
        alarm=ahead.alarm,
        transitions=(*state.transitions, *ahead.transitions),
    )


def began(track: Track) -> ChangeEstimate | None:
    """The stretch that speaks most for a drop, of all bets and all starts; None when none does."""
    bet = int(track.page_sums.argmax())
    if track.page_sums[bet] <= 0.0:
        return None
    return ChangeEstimate(int(track.began_ms[bet]), int(track.n_since[bet]))


def _opened(pane: Pane, now: Track, plan: SeriesPlan) -> Alarm | None:
    """The alarm that this pane opens, if it does."""
    log_e, change = float(log_evidence(now.log_m)), began(now)
    if log_e < plan.log_threshold or change is None:
        return None
    return Alarm(pane.start_ms, change.began_ms, log_e, change.n_since)


_FRESH = course(SeriesState()).track
