"""How a series' state takes in panes of counts. No clock, no store: values in, values out.

The clock of the alarm is the pane, in event time. Only panes that hold a score tick, and an open
pane ticks provisionally, so an alarm need not wait for the watermark. Both keep the promise of
`EDetector`: with w_k the product of the factors of all scores in panes from k on, evidence is never
more than the sum of w_k over all panes k up to the newest one seen, empty ones included. Each w_k
starts at 1 and is a supermartingale in the order of arrival, whichever pane a score falls in, as
long as every score's mean, given the baseline and the scores that arrived before, is at least the
null mean. So at any look evidence is expected to be at most the number of panes begun, which is all
that the bound on false alarms needs; looks within a pane, out of order or batch by batch cost
nothing. Which pane a score falls in and whether it is late must not depend on the score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from streaming_eval.alerting.course import began, follow, total, track, with_track
from streaming_eval.alerting.detector import detector
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.alerting.reading import pinned
from streaming_eval.alerting.state import Alarm, Pane, SeriesState
from streaming_eval.stats.e_detector import Track, log_evidence
from streaming_eval.windows import closed, start_ms


def observe(
    state: SeriesState,
    panes: Mapping[int, Sequence[int]],
    missing: int,
    watermark_ms: int,
    plan: SeriesPlan,
) -> SeriesState:
    """The state after a batch of counts.

    Args:
        state: before it.
        panes: counts per level of the batch's scores, by start of their pane.
        missing: scores of the batch that have no value.
        watermark_ms: the batch's watermark: panes that end by then are closed, and a score for one
            of them is late.
        plan: how the series is watched.
    """
    arrived = [
        Pane(int(begin_ms), tuple(map(int, counts)))
        for begin_ms, counts in panes.items()
        if any(counts)
    ]
    _check(arrived, plan)
    kept = [pane for pane in arrived if not _late(pane, state, watermark_ms, plan)]
    n_kept = sum(pane.n for pane in kept)
    state = replace(
        state,
        open_panes=_merged(state.open_panes, kept, plan.pane_ms),
        windows=_merged(state.windows, kept, plan.window_ms),
        n_total=state.n_total + n_kept,
        n_late=state.n_late + sum(pane.n for pane in arrived) - n_kept,
        n_missing=state.n_missing + missing,
    )
    return _close_panes(state, watermark_ms, plan)


def close(state: SeriesState, watermark_ms: int, plan: SeriesPlan) -> SeriesState:
    """The state when time has passed and no scores have come."""
    return observe(state, {}, 0, watermark_ms, plan)


def expire(
    state: SeriesState, watermark_ms: int, plan: SeriesPlan
) -> tuple[SeriesState, tuple[Pane, ...]]:
    """The state without the windows that have closed, and those windows in order."""
    gone = tuple(w for w in state.windows if closed(w.start_ms, plan.window_ms, watermark_ms))
    return replace(state, windows=state.windows[len(gone) :]), gone


def _check(panes: Iterable[Pane], plan: SeriesPlan) -> None:
    for pane in panes:
        if len(pane.counts) != plan.levels or min(pane.counts) < 0:
            raise ValueError(f"a pane needs {plan.levels} counts >= 0, got {pane.counts}")
        if pane.start_ms % plan.pane_ms:
            raise ValueError(f"no pane of {plan.pane_ms} ms starts at {pane.start_ms}")


def _late(pane: Pane, state: SeriesState, watermark_ms: int, plan: SeriesPlan) -> bool:
    if closed(pane.start_ms, plan.pane_ms, watermark_ms):
        return True
    return state.last_closed_ms is not None and pane.start_ms <= state.last_closed_ms


def _merged(held: tuple[Pane, ...], more: Iterable[Pane], width_ms: int) -> tuple[Pane, ...]:
    """Panes or windows of `width_ms` by start, with the counts of `more` added."""
    counts = {pane.start_ms: pane.counts for pane in held}
    for pane in more:
        begin_ms = start_ms(pane.start_ms, width_ms)
        counts[begin_ms] = total(len(pane.counts), (counts.get(begin_ms, ()), pane.counts))
    return tuple(Pane(begin_ms, counts[begin_ms]) for begin_ms in sorted(counts))


def _close_panes(state: SeriesState, watermark_ms: int, plan: SeriesPlan) -> SeriesState:
    closing = [p for p in state.open_panes if closed(p.start_ms, plan.pane_ms, watermark_ms)]
    if closing:
        state = replace(
            state,
            open_panes=state.open_panes[len(closing) :],
            last_closed_ms=closing[-1].start_ms,
        )
    state, rest = _fill_baseline(state, closing, plan)
    return _tick(state, rest, plan) if pinned(state, plan) else state


def _fill_baseline(
    state: SeriesState, panes: Sequence[Pane], plan: SeriesPlan
) -> tuple[SeriesState, Sequence[Pane]]:
    """Give closed panes to the baseline until it is pinned; return the panes that come after."""
    for taken, pane in enumerate(panes):
        if pinned(state, plan):
            return state, panes[taken:]
        counts = total(plan.levels, (state.baseline_counts, pane.counts))
        full = plan.baseline_samples is not None and sum(counts) >= plan.baseline_samples
        end_ms = pane.start_ms + plan.pane_ms if full else None
        state = replace(state, baseline_counts=counts, baseline_end_ms=end_ms)
    return state, ()


def _tick(state: SeriesState, panes: Sequence[Pane], plan: SeriesPlan) -> SeriesState:
    """Tick the detector over closed panes, look provisionally over open ones, open the alarm."""
    looking = plan.alarm and state.alarm is None
    if not panes and not looking:
        return state
    after_closed, alarm = track(state), state.alarm
    ahead = (*panes, *state.open_panes) if looking else panes
    bets = detector(state.baseline_counts, plan)
    for count, (pane, now) in enumerate(follow(after_closed, ahead, bets), start=1):
        if count <= len(panes):
            after_closed = now
        if looking and alarm is None:
            alarm = _opened(pane, now, plan)
    if panes:
        since = total(plan.levels, (state.since_counts, *(pane.counts for pane in panes)))
        state = replace(with_track(state, after_closed), since_counts=since)
    return replace(state, alarm=alarm)


def _opened(pane: Pane, now: Track, plan: SeriesPlan) -> Alarm | None:
    """The alarm that this pane opens, if it does."""
    log_e, change = float(log_evidence(now.log_m)), began(now)
    if log_e < plan.log_threshold or change is None:
        return None
    return Alarm(pane.start_ms, change.began_ms, log_e, change.n_since)
