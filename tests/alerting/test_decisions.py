"""What people decide takes effect once, and says who and why."""

from dataclasses import replace

import pytest

from streaming_eval.alerting import (
    Baseline,
    Decision,
    MonitorState,
    SeriesState,
    Why,
    baseline_missing,
    close,
    comparable,
    decide,
    evidence,
    fits,
    null_mean,
    observe,
    since_baseline,
)
from streaming_eval.stats.baseline import lower_bound
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.interval import Interval
from tests.alerting.series import FAR_MS, PANE_MS, fed, panes, pinned_plan, plan

PLAN = plan(baseline_samples=200, baseline_constant=None)
GOOD, BAD = [1, 19], [9, 11]
LOWER = Baseline((400, 600), 0, 100 * PANE_MS, id="lower")
NOW = 30


def alarmed() -> SeriesState:
    state, _ = fed([GOOD] * 20 + [BAD] * 10, PLAN, SeriesState())
    assert state.alarm is not None
    return state


def promotion(baseline: Baseline = LOWER, known_until_ms: int = NOW * PANE_MS - 1) -> Decision:
    return Decision(7, known_until_ms, "mira", "accepted", baseline)


def acknowledgement(state: SeriesState, known_until_ms: int = NOW * PANE_MS - 1) -> Decision:
    assert state.alarm is not None
    return Decision(7, known_until_ms, "mira", "seen", alarm_opened_ms=state.alarm.opened_ms)


def decided(state: SeriesState, *decisions: Decision) -> SeriesState:
    return observe(state, (), (NOW - 1) * PANE_MS, PLAN, decisions)


def test_a_promotion_replaces_the_baseline_and_ends_the_alarm() -> None:
    before = alarmed()
    after = decided(before, promotion())
    assert after.baseline == replace(LOWER, version=2, by="mira", reason="accepted")
    (ended,) = after.transitions
    assert ended.alarm == before.alarm
    assert ended.resolution is not None
    assert (ended.resolution.why, ended.resolution.who) == (Why.PROMOTED, "mira")
    assert ended.resolution.reason == "accepted"
    assert after.alarm is None
    assert since_baseline(after, PLAN).n == 0
    assert null_mean(after, 0, PLAN) == lower_bound(LOWER.counts, 0.05) - PLAN.smallest_effect


def test_evidence_begins_anew_with_the_first_pane_that_nobody_had_seen() -> None:
    """The last known pane is still open when the decision is read, and gets more scores."""
    after = decided(alarmed(), promotion())
    after = observe(after, panes([BAD], first=NOW - 1), (NOW - 1) * PANE_MS, PLAN)
    assert evidence(after, PLAN) == -700.0
    after = close(observe(after, panes([BAD], first=NOW), NOW * PANE_MS, PLAN), FAR_MS, PLAN)
    assert after.since_counts == (9, 11)
    fresh, _ = fed([BAD], PLAN, replace(SeriesState(), baseline=after.baseline), first=NOW)
    assert evidence(after, PLAN) == evidence(fresh, PLAN)


def test_against_the_new_level_the_same_scores_raise_nothing() -> None:
    after = decided(alarmed(), promotion())
    _, steps = fed([BAD] * 50, PLAN, after, first=NOW)
    assert steps == []


def test_whether_later_scores_come_before_or_after_the_decision_makes_no_difference() -> None:
    silent = replace(PLAN, alarm=False)
    state, _ = fed([GOOD] * 30, silent, SeriesState())
    more, watermark_ms = panes([BAD, GOOD], first=NOW), 25 * PANE_MS
    first = observe(state, (), watermark_ms, silent, [promotion()])
    then = observe(first, more, watermark_ms, silent)
    together = observe(state, more, watermark_ms, silent, [promotion()])
    other_way = observe(
        observe(state, more, watermark_ms, silent), (), watermark_ms, silent, [promotion()]
    )
    assert then == together == other_way


def test_an_acknowledgement_keeps_the_baseline_and_what_was_counted() -> None:
    before = alarmed()
    after = decided(before, acknowledgement(before))
    (ended,) = after.transitions
    assert ended.resolution is not None
    assert ended.resolution.why is Why.ACKNOWLEDGED
    assert after.baseline == before.baseline
    assert since_baseline(after, PLAN) == since_baseline(before, PLAN)
    assert evidence(after, PLAN) == -700.0


def test_an_acknowledged_drop_that_goes_on_opens_another_alarm() -> None:
    before = alarmed()
    after, steps = fed([BAD] * 10, PLAN, decided(before, acknowledgement(before)), first=NOW)
    assert [step.resolution for step in steps] == [None]
    assert after.alarm is not None
    assert after.alarm.opened_ms > NOW * PANE_MS - 1


def test_an_acknowledgement_of_an_alarm_that_is_not_open_changes_nothing() -> None:
    before = alarmed()
    late = acknowledgement(before)
    recovered, _ = fed([GOOD] * 80, PLAN, before, first=NOW)
    assert recovered.alarm is None
    watermark_ms = 109 * PANE_MS
    again = observe(recovered, (), watermark_ms, PLAN, [late])
    assert again == observe(recovered, (), watermark_ms, PLAN)
    other = replace(late, alarm_opened_ms=12_345 * PANE_MS)
    assert decided(before, other).alarm == before.alarm


def test_a_decision_that_is_late_does_not_bring_closed_panes_back() -> None:
    before = alarmed()
    after = decided(before, promotion(known_until_ms=0))
    assert after.last_closed_ms is not None
    assert after.armed_from_ms == max(after.last_closed_ms, (NOW - 1) * PANE_MS - PANE_MS) + PANE_MS


def test_of_two_decisions_the_later_one_holds() -> None:
    other = replace(LOWER, counts=(100, 900), id="other")
    after = decided(alarmed(), promotion(), promotion(other))
    assert (after.baseline.id, after.baseline.version) == ("other", 3)
    assert len(after.transitions) == 1


def test_a_promoted_baseline_comes_before_a_constant_and_before_one_that_is_collected() -> None:
    constant = plan()
    after = observe(SeriesState(), panes([GOOD]), -FAR_MS, constant, [promotion()])
    assert null_mean(after, 0, constant) == pytest.approx(lower_bound((400, 600), 0.05) - 0.02)
    collecting = observe(SeriesState(), panes([GOOD] * 3), PANE_MS, PLAN)
    after = observe(collecting, (), PANE_MS, PLAN, [promotion()])
    assert (after.baseline.id, after.baseline.version) == ("lower", 1)


def test_a_baseline_with_too_few_scores_leaves_the_series_insufficient() -> None:
    small = Baseline((10, 90), 0, PANE_MS, id="small")
    after = decided(alarmed(), promotion(small))
    after, steps = fed([[15, 5]] * 30, PLAN, after, first=NOW)
    assert not comparable(after, PLAN)
    assert (baseline_missing(after, PLAN), evidence(after, PLAN), steps) == (100, -700.0, [])
    verdict = decide(
        comparable=False, alarmed=False, log_evidence=-700.0, interval=Interval(0.9, 0.9), plan=PLAN
    )
    assert verdict is MonitorState.INSUFFICIENT


@pytest.mark.parametrize(
    ("counts", "changes", "possible"),
    [
        ((10, 90), {}, True),
        ((1, 2) * 24, {}, True),
        ((1, 2) * 24, {"pane_ms": 7 * PANE_MS, "window_ms": 7 * PANE_MS}, False),
        ((1, 2, 3), {}, False),
        ((1, 2) * 2, {}, False),
        ((0, 0), {}, False),
        ((-1, 2), {}, False),
        ((1, 2, 3), {"grid": Grid(3)}, True),
    ],
)
def test_only_a_baseline_of_the_same_grid_fits(
    counts: tuple[int, ...], changes: dict[str, object], possible: bool
) -> None:
    watching = pinned_plan(100, **changes)
    assert fits(Baseline(counts, id="x"), watching) is possible
    decision = promotion(Baseline(counts, id="x"))
    after = observe(SeriesState(), (), 0, watching, [decision])
    assert (after.baseline.id == "x") is possible
