"""How a series' state takes in panes of counts. No clock, no store: values in, values out.

The clock of the alarm is the pane, in event time. Only panes that hold a score tick, and an open
pane ticks provisionally, so an alarm need not wait for the watermark. Both keep the promise of
`EDetector`. Closed panes do so in the order of event time. Of looks at all that has come, open
panes included: with w_k the product of the factors of all scores in panes from k on, evidence is
never more than the sum of w_k over all panes k up to the newest one seen, empty ones included. Each
w_k starts at 1 and is a supermartingale in the order of arrival, whichever pane a score falls in,
as long as every score's mean, given the baseline and the scores that arrived before, is at least
the null mean. So at any look evidence is expected to be at most the number of panes begun; looks
within a pane, out of order or batch by batch cost nothing. Which pane a score falls in and whether
it is late must not depend on the score.

The two orders are not one, and of several open panes each is looked at as if the later ones had not
begun, so that an alarm in a backlog is dated where it would have opened. That the first alarm of
all these looks keeps the budget is measured (`tests/alerting/test_monitor_guarantee.py`), not
proven; proven is twice the budget where at most one pane is open, by adding two chances.

An alarm ends when the mirrored detector, begun after the pane that opened it, shows that the mean
is above the null again, or when a person decides so; then all evidence is 0 and the detector
begins anew. The copies of each round begin in panes of that round only, and an alarm opens at
evidence A, so over all rounds the expected number of false alarms within T panes is at most T / A.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from streaming_eval.alerting.course import course, total, weighed, with_course
from streaming_eval.alerting.decisions import Decision, take
from streaming_eval.alerting.drift_course import with_drift
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.alerting.reading import comparable, in_force, looked_at, pinned
from streaming_eval.alerting.state import Pane, SeriesState
from streaming_eval.windows import closed, start_ms

_DAY_MS = 86_400_000


def observe(
    state: SeriesState,
    panes: Iterable[Pane],
    watermark_ms: int,
    plan: SeriesPlan,
    decisions: Sequence[Decision] = (),
) -> SeriesState:
    """The state after a batch.

    Args:
        state: before it.
        panes: the batch's scores, at most once per pane.
        watermark_ms: the batch's watermark: panes that have matured by then are closed, and a score
            for one of them is late.
        plan: how the series is watched.
        decisions: made by people, in order; they apply before the batch's panes close.
    """
    mature_ms = watermark_ms - plan.maturity_ms
    arrived = [pane for pane in panes if pane.missing or any(pane.counts)]
    _check(arrived, plan)
    kept = [pane for pane in arrived if not _late(pane, state, mature_ms, plan)]
    n_kept = sum(pane.n for pane in kept)
    seen = kept if plan.looks_early else ()
    # One copy for all: on a fleet of thousands, copies are what a batch consists of.
    state = replace(
        state,
        transitions=(),
        open_panes=_merged(state.open_panes, kept, plan.pane_ms),
        windows=_merged(state.windows, seen, plan.window_ms),
        n_total=state.n_total + n_kept,
        n_late=state.n_late + sum(pane.n for pane in arrived) - n_kept,
        n_missing=state.n_missing + sum(pane.missing for pane in arrived),
    )
    for decision in decisions:
        state = take(state, decision, plan)
    return _close_panes(state, mature_ms, plan)


def close(state: SeriesState, watermark_ms: int, plan: SeriesPlan) -> SeriesState:
    """The state when time has passed and no scores have come."""
    return observe(state, (), watermark_ms, plan)


def expire(
    state: SeriesState, watermark_ms: int, plan: SeriesPlan
) -> tuple[SeriesState, tuple[Pane, ...]]:
    """The state whose closed windows are past, and those that have just closed, in order."""
    mature_ms = watermark_ms - plan.maturity_ms
    gone = tuple(w for w in state.windows if closed(w.start_ms, plan.window_ms, mature_ms))
    kept = state.windows[len(gone) :]
    past = (*state.past_windows, *gone)
    if newest := (*past, *kept)[-1:]:
        oldest_ms = newest[0].start_ms + plan.window_ms - plan.longest_sliding_ms
        past = tuple(window for window in past if window.start_ms >= oldest_ms)
    if gone or past != state.past_windows:
        state = replace(state, windows=kept, past_windows=past)
    return state, gone


def wake_at(state: SeriesState, plan: SeriesPlan) -> set[int]:
    """When windows close though nothing comes any more, in event time."""
    begun = {start_ms(pane.start_ms, plan.window_ms) for pane in state.open_panes}
    begun |= {window.start_ms for window in state.windows}
    return {begin_ms + plan.window_ms + plan.maturity_ms for begin_ms in begun}


def _check(panes: Iterable[Pane], plan: SeriesPlan) -> None:
    for pane in panes:
        if len(pane.counts) != plan.grid.cells or min(*pane.counts, pane.missing) < 0:
            raise ValueError(f"a pane needs {plan.grid.cells} counts >= 0, got {pane.counts}")
        if pane.start_ms % plan.pane_ms:
            raise ValueError(f"no pane of {plan.pane_ms} ms starts at {pane.start_ms}")


def _late(pane: Pane, state: SeriesState, mature_ms: int, plan: SeriesPlan) -> bool:
    if closed(pane.start_ms, plan.pane_ms, mature_ms):
        return True
    return state.last_closed_ms is not None and pane.start_ms <= state.last_closed_ms


def _merged(held: tuple[Pane, ...], more: Sequence[Pane], width_ms: int) -> tuple[Pane, ...]:
    """Panes or windows of `width_ms` by start, with the counts of `more` added."""
    if not more:
        return held
    by_start = {pane.start_ms: pane for pane in held}
    for pane in more:
        begin_ms = start_ms(pane.start_ms, width_ms)
        old = by_start.get(begin_ms, Pane(begin_ms, ()))
        counts = total(len(pane.counts), (old.counts, pane.counts))
        by_start[begin_ms] = Pane(begin_ms, counts, old.missing + pane.missing)
    return tuple(by_start[begin_ms] for begin_ms in sorted(by_start))


def _close_panes(state: SeriesState, mature_ms: int, plan: SeriesPlan) -> SeriesState:
    closing = [p for p in state.open_panes if closed(p.start_ms, plan.pane_ms, mature_ms)]
    if closing:
        unseen = () if plan.looks_early else closing
        state = replace(
            state,
            open_panes=state.open_panes[len(closing) :],
            last_closed_ms=closing[-1].start_ms,
            windows=_merged(state.windows, unseen, plan.window_ms),
        )
    state, rest = _fill_baseline(state, closing, plan)
    if not pinned(state, plan):
        return state
    state = _count_since(state, rest, plan)
    if not comparable(state, plan):
        return state
    return with_drift(_tick(state, rest, plan), rest, plan)


def _fill_baseline(
    state: SeriesState, panes: Sequence[Pane], plan: SeriesPlan
) -> tuple[SeriesState, Sequence[Pane]]:
    """Give closed panes to the baseline until it is pinned; return the panes that come after."""
    baseline, since_ms, rest = state.baseline, state.since_ms, list(panes)
    while rest and not in_force(baseline, plan):
        pane = rest.pop(0)
        baseline = baseline.with_pane(pane.start_ms, pane.counts, plan.seasons)
        end_ms = pane.start_ms + plan.pane_ms
        if _full(baseline.n, baseline.begin_ms or 0, end_ms, plan):
            baseline, since_ms = replace(baseline, end_ms=end_ms, version=1), end_ms
    if len(rest) < len(panes):
        state = replace(state, baseline=baseline, since_ms=since_ms)
    return state, rest


def _full(n: int, begin_ms: int, end_ms: int, plan: SeriesPlan) -> bool:
    """Whether a baseline is complete: large enough, and a seasonal one has seen every hour."""
    if plan.baseline_samples is None or n < plan.baseline_samples:
        return False
    return plan.seasons == 1 or end_ms - begin_ms >= _DAY_MS


def _count_since(state: SeriesState, panes: Sequence[Pane], plan: SeriesPlan) -> SeriesState:
    panes = [pane for pane in panes if state.counts_since(pane)]
    if not panes:
        return state
    return replace(
        state,
        since_counts=total(plan.grid.cells, (state.since_counts, *(p.counts for p in panes))),
        since_missing=state.since_missing + sum(pane.missing for pane in panes),
    )


def _tick(state: SeriesState, panes: Sequence[Pane], plan: SeriesPlan) -> SeriesState:
    """Tick detector and alarm over closed panes, then look provisionally over open ones."""
    now = course(state)
    for pane in weighed(panes, state, plan):
        now = now.tick(pane, plan)
    ahead = now
    if plan.alarm and now.alarm is None:
        for pane in weighed(looked_at(state, plan), state, plan):
            ahead = ahead.look(pane, plan)
    return with_course(state, now, ahead)
