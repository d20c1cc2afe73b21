"""No false word about a distribution that stays, the truth about one that moved."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from streaming_eval.alerting.alarm import AlertKind
from streaming_eval.alerting.drift import (
    NO_DRIFT,
    Drift,
    DriftPlan,
    begin,
    evidence,
    look,
    moved,
    tick,
)
from streaming_eval.stats.e_detector import LOG_ZERO

GRADES = DriftPlan(3, True, 0.0, log(10_000), log(100))
MIX = DriftPlan(4, False, 0.0, log(10_000), log(100))
FINE = DriftPlan(65, True, 0.0, log(10_000), log(100))
PANE_MS = 60_000


def run(plan: DriftPlan, before: list[float], after: list[float], panes: int, n: int = 50) -> Drift:
    """The drift after `panes` panes of `n` scores, drawn from shares `after`."""
    rng = np.random.default_rng(5)
    drift = begin([rng.multinomial(10_000, before).tolist()], 1, plan)
    for pane in range(panes):
        drift = tick(drift, pane * PANE_MS, rng.multinomial(n, after).tolist(), plan)
    return drift


def test_what_has_no_baseline_has_no_evidence() -> None:
    assert evidence(NO_DRIFT) == LOG_ZERO
    assert moved(NO_DRIFT, GRADES) == ()


@pytest.mark.parametrize("plan", [GRADES, MIX], ids=["ordered", "categories"])
def test_a_distribution_that_stays_raises_nothing(plan: DriftPlan) -> None:
    shares = [0.2, 0.3, 0.5] if plan is GRADES else [0.1, 0.2, 0.3, 0.4]
    drift = run(plan, shares, shares, 400)
    assert drift.alarm is None
    assert evidence(drift) < plan.log_suspect


def test_a_judge_that_avoids_the_middle_is_found_though_its_mean_stays() -> None:
    drift = run(GRADES, [0.2, 0.3, 0.5], [0.26, 0.18, 0.56], 60)
    assert drift.alarm is not None
    assert drift.alarm.kind is AlertKind.DRIFT
    assert drift.alarm.began_ms <= 5 * PANE_MS
    strongest = moved(drift, GRADES)[0]
    assert (strongest.cell, strongest.rose) == (1, False)


def test_a_segment_that_gains_share_is_found_and_named() -> None:
    drift = run(MIX, [0.05, 0.15, 0.3, 0.5], [0.12, 0.13, 0.3, 0.45], 100)
    assert drift.alarm is not None
    strongest = moved(drift, MIX)[0]
    assert (strongest.cell, strongest.rose) == (0, True)


def test_a_value_that_never_occurred_is_found_after_a_baseline_of_one_value() -> None:
    only = [0.0] * 65
    only[30] = 1.0
    other = list(only)
    other[30], other[40] = 0.8, 0.2
    assert run(FINE, only, only, 50).alarm is None
    assert run(FINE, only, other, 5).alarm is not None


def test_a_shift_within_the_tolerance_is_not_worth_an_alarm() -> None:
    plan = DriftPlan(4, False, 0.1, log(10_000), log(100))
    assert run(plan, [0.1, 0.2, 0.3, 0.4], [0.15, 0.2, 0.3, 0.35], 400).alarm is None


def test_a_look_into_an_open_pane_is_what_closing_it_would_say_of_the_cells() -> None:
    drift = begin([[2_000, 3_000, 4_000, 1_000]], 1, MIX)
    counts = [0, 0, 40, 60]
    assert evidence(look(drift, 0, counts, MIX)) == evidence(tick(drift, 0, counts, MIX))


def test_an_alarm_stays_as_it_opened() -> None:
    drift = run(GRADES, [0.2, 0.3, 0.5], [0.5, 0.2, 0.3], 20)
    later = tick(drift, 99 * PANE_MS, [5, 5, 5], GRADES)
    assert later.alarm == drift.alarm is not None


def test_a_series_that_may_not_alarm_has_evidence_all_the_same() -> None:
    plan = DriftPlan(3, True, 0.0, log(10_000), log(100), alarm=False)
    drift = run(plan, [0.2, 0.3, 0.5], [0.5, 0.2, 0.3], 20)
    assert drift.alarm is None
    assert evidence(drift) > plan.log_threshold


@pytest.mark.slow
def test_false_alarms_keep_to_the_budget() -> None:
    """P(alarm within T panes) <= T / A and the chance of a wrong bound, over 200 baselines."""
    plan = DriftPlan(5, True, 0.0, log(2_000), log(100))
    rng, shares, alarms = np.random.default_rng(2), [0.1, 0.2, 0.4, 0.2, 0.1], 0
    for _ in range(200):
        drift = begin([rng.multinomial(5_000, shares).tolist()], 1, plan)
        for pane in range(100):
            drift = tick(drift, pane * PANE_MS, rng.multinomial(20, shares).tolist(), plan)
        alarms += drift.alarm is not None
    allowed = 100 / 2_000 + 0.05
    assert alarms / 200 <= allowed + 3 * (allowed * (1 - allowed) / 200) ** 0.5


def test_each_hour_is_compared_with_its_own_part_of_the_baseline() -> None:
    rng, day, night = np.random.default_rng(1), [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]
    hours = [day if 8 <= hour < 20 else night for hour in range(24)]
    drift = begin([rng.multinomial(5_000, shares).tolist() for shares in hours], 1, MIX)
    flat = begin([rng.multinomial(60_000, [0.25] * 4).tolist()], 1, MIX)
    for pane in range(300):
        start_ms = pane * 10 * PANE_MS
        counts = rng.multinomial(50, hours[pane // 6 % 24]).tolist()
        drift, flat = tick(drift, start_ms, counts, MIX), tick(flat, start_ms, counts, MIX)
    assert drift.alarm is None
    assert flat.alarm is not None
