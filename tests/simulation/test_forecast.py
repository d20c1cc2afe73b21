"""What a forecast says of scenarios whose answer is known otherwise."""

from typing import Any

import numpy as np
import pytest

from streaming_eval.simulation import Forecast, forecast
from tests.simulation.scenarios import WEEK_MS, scenario, series_plan


def test_equal_seeds_give_equal_answers() -> None:
    small = scenario(streams=10)
    assert forecast(small) == forecast(small)


def test_a_larger_drop_is_found_sooner_and_one_that_is_worth_no_page_is_not() -> None:
    found = forecast(scenario(drops=(0.3, 0.1, 0.01), weeks=2))
    huge, large, harmless = found.detections
    assert huge.median_samples is not None
    assert large.median_samples is not None
    assert huge.median_samples < large.median_samples
    assert huge.within_day == 1.0
    assert harmless.median_hours is harmless.p95_samples is None
    assert harmless.within_week < 0.1


def test_the_delay_in_hours_fits_the_delay_in_samples() -> None:
    (large,) = forecast(scenario(streams=200)).detections
    assert large.median_samples is not None
    assert large.median_hours == pytest.approx(large.median_samples / 100, rel=0.1)


def test_a_verdict_is_due_when_the_operators_page_says_so() -> None:
    """docs/operations.md: 2,424 scores at a pass rate of .9, 6,765 at .5."""
    found = [
        forecast(scenario(shares=shares, drops=(), streams=1))
        for shares in ((0.1, 0.9), (0.5, 0.5))
    ]
    assert [f.sufficient_n for f in found] == [2_424, 6_765]
    assert found[0].sufficient_hours == pytest.approx(found[0].baseline_hours + 24.24)


def test_without_a_smallest_effect_no_interval_is_narrow_enough() -> None:
    found = forecast(scenario(series_plan(smallest_effect=0.0), drops=(), streams=1))
    assert found.sufficient_n is found.sufficient_hours is None


def test_false_alarms_stay_within_the_budget_that_is_printed() -> None:
    """The mean lies where the promise is tightest: on the null, known exactly."""
    plan = series_plan(baseline_samples=None, baseline_constant=0.9, smallest_effect=0.0)
    found = forecast(scenario(plan, drops=(), streams=400, once_per_ms=WEEK_MS))
    assert found.false_pages_bound == pytest.approx(30 / 7)
    assert found.false_pages_seen == pytest.approx(found.false_alarms_seen / 400 * 30 / 7)
    promised = 1.0  # a week of panes at a budget of one false alarm a week
    assert 0.0 < found.false_alarms_seen / 400 <= promised


def test_a_baseline_takes_as_long_as_its_scores_take_to_come() -> None:
    found = forecast(scenario(drops=(), streams=40))
    assert found.baseline_hours == pytest.approx(10, abs=1)
    assert found.null_mean == pytest.approx(found.baseline_bound - 0.02)
    assert found.baseline_bound < 0.9


def test_a_sparse_series_is_simulated_too() -> None:
    """Most panes have no score: the baseline takes weeks, and the alarm's clock waits."""
    rare = forecast(scenario(samples_per_hour=0.2, drops=(0.5,), weeks=4, streams=20))
    assert rare.baseline_hours == pytest.approx(5_000, rel=0.1)
    assert rare.detections[0].median_hours is not None


def test_series_that_alarm_at_once_are_judged_from_their_beginning() -> None:
    hasty = series_plan(baseline_samples=None, baseline_constant=0.99, log_threshold=0.0)
    found: Forecast = forecast(scenario(hasty, streams=5))
    assert found.false_alarms_seen == 5
    assert found.detections[0].within_day == 1.0


def test_progress_is_told_by_part() -> None:
    told: list[tuple[str, float]] = []
    forecast(scenario(streams=5), lambda what, share: told.append((what, share)))
    assert {what for what, _ in told} == {"no drop", "drop of 0.1"}
    assert all(0.0 < share <= 1.0 for _, share in told)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drops": (0.95,)}, "a drop must lie above 0"),
        ({"shares": (0.5, 0.6)}, "add up to 1"),
        ({"samples_per_hour": 0.0}, "samples per hour"),
        ({"streams": 0}, "1 or more"),
        ({"weeks": 52, "streams": 10_000}, "fewer weeks or streams"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scenario(**changes)


def test_intervals_narrow_with_the_square_root_of_their_scores() -> None:
    widths = forecast(scenario(drops=(), streams=1)).widths
    assert [w.n for w in widths] == [100, 2_400, 16_800]
    assert widths[1].half_width / widths[2].half_width == pytest.approx(np.sqrt(7), rel=0.1)
