from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from streaming_eval.alerting import Alarm, Baseline, MonitorState, Pane
from streaming_eval.pipeline.estimate import Estimate
from streaming_eval.pipeline.estimates import IntervalPlan, estimates
from streaming_eval.pipeline.series_report import SlidingWindow
from streaming_eval.pipeline.window_rows import SINCE_BASELINE
from streaming_eval.records import SeriesKey
from streaming_eval.stats.beta_binomial import BetaBinomial
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import mean
from streaming_eval.stats.mixture_bet import MixtureBet
from streaming_eval.stats.running_mean import Prediction, running_intervals
from tests.pipeline.fleet import CAP_MS, key, plan
from tests.pipeline.reports import report

PLAN = plan()
INTERVALS = IntervalPlan(alpha=0.05, expected_n=1_000, window_label="5m")
CONTAINS, JUDGE = key("contains"), key("judge")
SLOW = key("latency_ms")
PAIR, PAIR_PRODUCTION = (key(model="small", against=m) for m in ("large", "assistant"))
SERIES = st.sampled_from([CONTAINS, JUDGE, SLOW, PAIR, PAIR_PRODUCTION, key("judge", "small")])
FEW = st.integers(0, 400)


def counts_of(levels: int) -> st.SearchStrategy[list[int]]:
    return st.lists(FEW, min_size=levels, max_size=levels)


def one(*args: Any, **kwargs: Any) -> tuple[Estimate, Estimate]:  # noqa: ANN401
    """The estimates of a report's window and of the time since its baseline."""
    window, since = estimates([report(*args, **kwargs)], PLAN, INTERVALS)
    assert (window.window, since.window) == ("5m", SINCE_BASELINE)
    return window, since


def raw(estimate: Estimate, interval: Interval) -> list[float]:
    scale = PLAN.scale(estimate.key)
    return sorted(scale.raw([interval.lower, interval.upper]).tolist())


def test_the_interval_of_grades_is_the_mixture_bet_s_on_the_same_counts() -> None:
    window, _ = one(JUDGE, (5, 10, 85))
    interval = MixtureBet(0.05, 1_000).interval((5, 10, 85))
    assert [window.lower, window.upper] == raw(window, interval)


@pytest.mark.parametrize("counts", [(3, 7), (0, 1), (500, 4_500)])
def test_a_pass_rate_s_interval_is_the_beta_binomial_s(counts: Sequence[int]) -> None:
    window, _ = one(CONTAINS, counts)
    interval = BetaBinomial(0.05, 1_000).interval(counts)
    assert (window.lower, window.upper) == (interval.lower, interval.upper)
    assert (window.n, window.alpha) == (sum(counts), 0.05)


def test_since_the_baseline_it_is_one_for_a_mean_that_moves_predicted_by_the_baseline() -> None:
    counts, baseline = (300, 4_700), (10, 190)
    window, since = one(CONTAINS, counts, since=counts, baseline=baseline, pinned=True)
    known = [Prediction.of(baseline)]
    (lower,), (upper,) = running_intervals([counts], known, 0.05, 1_000)
    assert (since.lower, since.upper) == (lower, upper)
    assert (window.lower, window.upper) != (since.lower, since.upper)
    (low,), (high,) = running_intervals([counts], known, 0.025, 1_000)
    then = BetaBinomial(0.025, 1_000).interval(baseline)
    assert (since.effect_lower, since.effect_upper) == (low - then.upper, high - then.lower)


def test_evidence_and_alarms_do_not_look_at_the_interval() -> None:
    """The same counts, expected rightly and wrongly: another width, no other decision."""
    counts, told = (30, 270), {"log_evidence": 3.0, "pinned": True}
    rows = [
        one(CONTAINS, (1, 2), since=counts, baseline=b, **told)[1] for b in ((10, 90), (90, 10))
    ]
    assert rows[0].upper - rows[0].lower < rows[1].upper - rows[1].lower
    assert {(row.log_evidence, row.log_threshold) for row in rows} == {
        (3.0, PLAN.series(CONTAINS).log_threshold)
    }


def test_a_pair_s_interval_expects_no_difference_and_lies_on_the_scale_of_differences() -> None:
    window, _ = one(PAIR, (5, 80, 15))
    interval = MixtureBet(0.05, 1_000, 0.5, 0.05).interval((5, 80, 15))
    assert [window.lower, window.upper] == [2 * interval.lower - 1, 2 * interval.upper - 1]
    assert window.mean == pytest.approx(0.1)


def test_a_pair_s_effect_is_the_difference_itself_before_there_is_any_baseline() -> None:
    for pair in (PAIR, PAIR_PRODUCTION):
        window, _ = one(pair, (5, 80, 15))
        assert (window.effect, window.effect_lower, window.effect_upper) == (
            window.mean,
            window.lower,
            window.upper,
        )


def test_of_a_scorer_in_which_less_is_better_the_numbers_stay_its_own() -> None:
    slow = [0] * 65
    slow[48] = 200  # three quarters of the way to the good end: a quarter of the cap
    window, _ = one(SLOW, slow)
    assert window.mean == CAP_MS / 4
    assert [window.lower, window.upper] == raw(window, MixtureBet(0.05, 1_000).interval(slow))
    assert 0 < window.lower < CAP_MS / 4 < window.upper < CAP_MS


@budget(max_examples=60, deadline=None)
@given(st.data(), SERIES)
def test_the_mean_lies_in_its_interval_and_the_effect_in_its_own(
    data: st.DataObject, series: SeriesKey
) -> None:
    levels = PLAN.series(series).grid.cells
    counts, baseline = data.draw(counts_of(levels)), data.draw(counts_of(levels))
    constant = PLAN.series(series).baseline_constant is not None
    window, since = one(
        series, counts, since=counts, baseline=() if constant else baseline, pinned=any(baseline)
    )
    assert window.counts == since.counts == tuple(counts)
    if window.mean is None:
        assert not any(counts)
        return
    assert window.lower <= window.mean <= window.upper
    if window.effect is None:
        assert not any(baseline)
        assert not series.against
        return
    assert window.effect_lower is not None
    assert window.effect_upper is not None
    slack = 1e-9 * CAP_MS
    assert window.effect_lower - slack <= window.effect <= window.effect_upper + slack


@pytest.mark.parametrize(("series", "better"), [(CONTAINS, 1), (SLOW, -1)])
def test_the_effect_is_the_change_of_the_mean_on_the_scorer_s_own_scale(
    series: SeriesKey, better: int
) -> None:
    levels = PLAN.series(series).grid.cells
    worse, good = ([0] * levels for _ in range(2))
    worse[0], good[-1] = 900, 900
    window, _ = one(series, worse, baseline=good, pinned=True)
    assert window.mean is not None
    assert window.baseline_mean is not None
    assert window.effect == window.mean - window.baseline_mean
    assert window.effect * better < 0
    assert window.effect_upper is not None
    assert window.effect_lower is not None
    assert (window.effect_upper if better == 1 else -window.effect_lower) < 0, "it is certain"


def test_an_effect_spends_half_its_error_on_each_side_of_the_comparison() -> None:
    window, _ = one(CONTAINS, (30, 70), baseline=(10, 190), pinned=True)
    half = BetaBinomial(0.025, 1_000)
    now, then = half.interval((30, 70)), half.interval((10, 190))
    assert window.effect_lower == now.lower - then.upper
    assert window.effect_upper == now.upper - then.lower
    assert window.baseline_n == 200


@pytest.mark.parametrize("series", [CONTAINS, SLOW, PAIR])
def test_nothing_known_is_the_whole_range_and_no_number(series: SeriesKey) -> None:
    scale = PLAN.scale(series)
    (since,) = estimates([report(series, since=[0] * scale.levels)], PLAN, INTERVALS)
    assert (since.lower, since.upper) == (scale.low, scale.high)
    assert since.mean is since.effect is since.effect_lower is since.effect_upper is None
    assert since.n == 0


def test_while_the_baseline_is_being_collected_there_is_no_effect() -> None:
    window, since = one(CONTAINS, (10, 90), baseline=(5, 45), pinned=False)
    assert window.effect is window.baseline_mean is None
    assert window.baseline_n == 50
    assert since.window_start_ms is None
    assert since.state is MonitorState.INSUFFICIENT


def test_a_constant_baseline_is_exact() -> None:
    known = {"baseline": {"kind": "constant", "value": 0.9}}
    fixed = plan(monitor=known, comparisons=[])
    window, since = estimates([report(CONTAINS, (300, 700), pinned=True)], fixed, INTERVALS)
    now = BetaBinomial(0.025, 1_000).interval((300, 700))
    assert (window.baseline_mean, window.baseline_n) == (0.9, 0)
    assert window.effect == pytest.approx(-0.2)
    assert (window.effect_lower, window.effect_upper) == (now.lower - 0.9, now.upper - 0.9)
    assert since.window_start_ms is None


def test_closed_windows_come_beside_open_ones_and_say_so() -> None:
    rows = estimates([report(CONTAINS, (1, 2), closed=(5, 5))], PLAN, INTERVALS)
    assert [(r.window, r.window_start_ms, r.closed, r.n) for r in rows] == [
        ("5m", 0, True, 10),
        ("5m", 300_000, False, 3),
        (SINCE_BASELINE, None, False, 0),
    ]


@pytest.mark.parametrize(
    ("since", "alarm", "evidence", "state"),
    [
        ((0, 0), None, -700.0, MonitorState.INSUFFICIENT),
        ((100_000, 900_000), None, -700.0, MonitorState.OK),
        ((10, 90), None, 10.0, MonitorState.SUSPECT),
        ((10, 90), Alarm(0, 0, 14.0, 9), -700.0, MonitorState.REGRESSED),
    ],
)
def test_the_state_is_judged_by_the_time_since_the_baseline_and_equal_in_all_windows(
    since: Sequence[int], alarm: Alarm | None, evidence: float, state: MonitorState
) -> None:
    rows = one(
        CONTAINS,
        (1, 2),
        since=since,
        baseline=(10, 90),
        pinned=True,
        alarm=alarm,
        log_evidence=evidence,
    )
    assert {row.state for row in rows} == {state}
    assert {(row.log_evidence, row.log_threshold) for row in rows} == {
        (evidence, PLAN.series(CONTAINS).log_threshold)
    }


def test_an_alarm_that_was_switched_off_is_not_shown_any_more() -> None:
    silent = plan(scorers=[{"kind": "contains", "alarm": False}])
    opened = report(CONTAINS, (1, 2), baseline=(10, 90), pinned=True, alarm=Alarm(0, 0, 14.0, 9))
    assert {e.state for e in estimates([opened], silent, INTERVALS)} == {MonitorState.INSUFFICIENT}


@given(st.lists(st.tuples(SERIES, st.integers(1, 300)), min_size=1, max_size=6))
@budget(max_examples=30, deadline=None)
def test_reports_together_are_estimated_as_each_alone(many: list[tuple[SeriesKey, int]]) -> None:
    reports = []
    for series, n in dict(many).items():
        levels = PLAN.series(series).grid.cells
        counts = [n] * levels
        reports.append(report(series, counts, since=counts, baseline=counts, pinned=True))
    together = estimates(reports, PLAN, INTERVALS)
    alone = [e for r in reports for e in estimates([r], PLAN, INTERVALS)]
    assert sorted(together, key=_place) == sorted(alone, key=_place)


def _place(e: Estimate) -> tuple[str, str]:
    return str(e.key), e.window


def test_missing_and_late_scores_are_passed_on() -> None:
    window, _ = one(CONTAINS, (1, 2), missing=3, late=4)
    assert (window.missing, window.late, window.n) == (3, 4, 3)
    assert window.mean == float(mean((1, 2)))


def test_a_sliding_window_is_an_estimate_that_says_so() -> None:
    sliding = SlidingWindow(86_400_000, Pane(0, (30, 70), 2))
    with_sliding = replace(report(CONTAINS, (1, 2)), sliding_windows=(sliding,))
    _, found, _ = estimates([with_sliding], PLAN, INTERVALS)
    assert (found.window, found.n, found.missing, found.closed) == ("sliding 1d", 100, 2, False)
    interval = BetaBinomial(0.05, 1_000).interval((30, 70))
    assert (found.lower, found.upper) == (interval.lower, interval.upper)


def test_a_window_within_an_hour_is_compared_with_the_baseline_of_that_hour() -> None:
    hours = [(50, 50)] * 24
    hours[3] = (10, 90)
    seasonal = Baseline(tuple(n for hour in hours for n in hour), 0, 86_400_000, 1)
    window = Pane(27 * 3_600_000 + 300_000, (30, 70))
    told = replace(report(CONTAINS), windows=(window,), baseline=seasonal, pinned=True)
    of_hour, since = estimates([told], PLAN, INTERVALS)
    assert of_hour.baseline_mean == 0.9
    assert of_hour.effect == pytest.approx(-0.2)
    assert since.baseline_mean == pytest.approx((23 * 0.5 + 0.9) / 24)


def test_a_baseline_that_lacks_scores_says_so_and_leaves_the_series_insufficient() -> None:
    known = report(
        CONTAINS, (1, 2), since=(10**5, 9 * 10**5), baseline=(10, 90), pinned=True, lacking=400
    )
    assert {(e.state, e.baseline_missing) for e in estimates([known], PLAN, INTERVALS)} == {
        (MonitorState.INSUFFICIENT, 400)
    }
