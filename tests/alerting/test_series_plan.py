"""Plans that make sense, and the fleet's budget."""

from math import exp

import pytest

from streaming_eval.alerting import fleet_thresholds
from tests.alerting.series import plan

WEEK_MS = 7 * 24 * 3_600_000


def test_one_series_has_the_whole_budget() -> None:
    alone = fleet_thresholds(WEEK_MS, 60_000, 1)
    assert exp(alone.log_threshold) == pytest.approx(7 * 24 * 60)
    assert alone.log_suspect == alone.log_threshold


@pytest.mark.parametrize("series", [2, 100, 5_000])
def test_the_shares_of_all_series_add_up_to_the_fleets_budget(series: int) -> None:
    """Union bound: the chance of any false alarm in one pane is at most 1 / A."""
    found = fleet_thresholds(WEEK_MS, 60_000, series)
    assert series * exp(-found.log_threshold) == pytest.approx(exp(-found.log_suspect))


@pytest.mark.parametrize(("once_per_ms", "series"), [(WEEK_MS, 0), (59_999, 1)])
def test_a_budget_that_cannot_be_is_refused(once_per_ms: int, series: int) -> None:
    with pytest.raises(ValueError, match="budget"):
        fleet_thresholds(once_per_ms, 60_000, series)


@pytest.mark.parametrize(
    "bad",
    [
        {"pane_ms": 0},
        {"maturity_ms": -1},
        {"sliding_ms": (450_000,)},
        {"seasons": 7},
        {"seasons": 24, "pane_ms": 7 * 60_000, "window_ms": 7 * 60_000},
        {"window_ms": 90_000},
        {"baseline_samples": 100},
        {"baseline_constant": None},
        {"baseline_samples": 0, "baseline_constant": None},
        {"baseline_constant": 1.1},
        {"smallest_effect": -0.01},
        {"baseline_alpha": 0.5},
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"window|baseline|effect"):
        plan(**bad)
