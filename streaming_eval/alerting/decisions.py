"""What people decide about a series: another baseline, or that an alarm has been seen to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streaming_eval.alerting.alarm import Alarm, Resolution, Transition, Why
from streaming_eval.alerting.baseline import HOURS, Baseline, within_an_hour
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.alerting.state import SeriesState, disarmed
from streaming_eval.windows import start_ms


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision; exactly one of `baseline` and `alarm_opened_ms` is set.

    Attributes:
        made_ms: when it was made, wall clock; later ones come after earlier ones.
        known_until_ms: event time of the newest score that could be known then. Scores count anew
            from the next pane on.
        by: who made it.
        reason: in that person's words.
        baseline: to be in force from now on; its version, `by` and `reason` are not read.
        alarm_opened_ms: the `opened_ms` of an alarm that is acknowledged.
    """

    made_ms: int
    known_until_ms: int
    by: str
    reason: str
    baseline: Baseline | None = None
    alarm_opened_ms: int | None = None


def fits(baseline: Baseline, plan: SeriesPlan) -> bool:
    """Whether a series can be compared with the baseline at all."""
    parts, rest = divmod(len(baseline.counts), plan.grid.cells)
    hourly = parts == HOURS and within_an_hour(plan.pane_ms)
    return not rest and (parts == 1 or hourly) and min(baseline.counts) >= 0 < baseline.n


def take(state: SeriesState, decision: Decision, plan: SeriesPlan) -> SeriesState:
    """The state after a decision. One that no longer applies changes nothing.

    The detectors begin anew, that of drift too: all evidence is 0, every open alarm ends, and only
    panes tick them that were neither closed nor known when the decision was made, so that no
    evidence rests on scores that led to it.
    """
    if decision.baseline is not None:
        return _promote(state, decision, decision.baseline, plan)
    if decision.alarm_opened_ms not in {alarm.opened_ms for alarm in _open(state)}:
        return state
    return _anew(state, decision, Why.ACKNOWLEDGED, plan)


def _promote(
    state: SeriesState, decision: Decision, baseline: Baseline, plan: SeriesPlan
) -> SeriesState:
    if not fits(baseline, plan):
        return state
    after = _anew(state, decision, Why.PROMOTED, plan)
    version = state.baseline.version + 1
    promoted = replace(baseline, version=version, by=decision.by, reason=decision.reason)
    return replace(
        after,
        baseline=promoted,
        since_ms=after.armed_from_ms,
        since_counts=(),
        since_missing=0,
    )


def _anew(state: SeriesState, decision: Decision, why: Why, plan: SeriesPlan) -> SeriesState:
    judged_ms = (state.last_closed_ms, *(alarm.opened_ms for alarm in _open(state)))
    begins_ms = [_next_pane(decision.known_until_ms, plan)]
    begins_ms += [_next_pane(time_ms, plan) for time_ms in judged_ms if time_ms is not None]
    from_ms = max(begins_ms if state.armed_from_ms is None else [*begins_ms, state.armed_from_ms])
    resolution = Resolution(why, from_ms, decision.by, decision.reason)
    ended = tuple(Transition(alarm, resolution) for alarm in _open(state))
    return replace(disarmed(state), armed_from_ms=from_ms, transitions=(*state.transitions, *ended))


def _open(state: SeriesState) -> list[Alarm]:
    return [alarm for alarm in (state.alarm, state.drift.alarm) if alarm is not None]


def _next_pane(time_ms: int, plan: SeriesPlan) -> int:
    """Start of the pane after the one that holds `time_ms`."""
    return start_ms(time_ms, plan.pane_ms) + plan.pane_ms
