from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from streaming_eval.adapters.schemas import ALERTS, BASELINES, ESTIMATES
from streaming_eval.alerting import (
    Alarm,
    AlertKind,
    Baseline,
    DriftState,
    MonitorState,
    Resolution,
    Transition,
    Why,
)
from streaming_eval.pipeline.estimate import DriftEstimate
from streaming_eval.pipeline.monitor_rows import (
    AlertStep,
    alert_rows,
    alerts_table,
    estimates_table,
)
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.pipeline.stored_baseline import StoredBaseline, baselines_table
from streaming_eval.records import SeriesKey
from tests.pipeline.estimated import KEY, estimate

NOW_MS = 1_700_000_000_123
ODD = SeriesKey("a|b", "tier=pro", "contains", "v2", "\\p")
ALARM = Alarm(opened_ms=900_000, began_ms=600_000, log_evidence=13.5, n_since_began=77)
OPENED = AlertStep(Transition(ALARM), estimate(window="baseline"), NOW_MS, ["s9", "s1"])
DRIFTED = DriftEstimate(14.5, 13.25, DriftState.DRIFTED, ("0.5 to 1: more",))
DRIFT = ("drift_log_evidence", "drift_log_threshold", "drift_state", "drift_cells")
PINNED = StoredBaseline(KEY, Baseline((10, 90), 0, 600_000, version=1), False, 0.9, 0.84, "scores")


def test_an_estimate_is_a_row_with_all_its_numbers() -> None:
    table = estimates_table([estimate(ODD, state=MonitorState.SUSPECT)], 7, NOW_MS)
    assert table.schema == ESTIMATES
    assert table.to_pylist() == [
        {
            "series_key": str(ODD),
            "model": "a|b",
            "segment": "tier=pro",
            "scorer": "contains",
            "evaluation_version": "v2",
            "against": "\\p",
            "window": "5m",
            "window_start": instant(300_000),
            "closed": False,
            "n": 100,
            "missing": 3,
            "late": 2,
            "mean": 0.7,
            "lower": 0.6,
            "upper": 0.8,
            "alpha": 0.05,
            "counts": [30, 70],
            "baseline_n": 200,
            "baseline_version": 1,
            "baseline_missing": 0,
            "baseline_mean": 0.9,
            "effect": -0.2,
            "effect_lower": -0.3,
            "effect_upper": -0.1,
            "log_evidence": 4.5,
            "log_threshold": 12.25,
            "state": "suspect",
            "drift_log_evidence": None,
            "drift_log_threshold": None,
            "drift_state": None,
            "drift_cells": None,
            "quantiles": None,
            "updated_at": instant(NOW_MS),
            "updated_date": dt.date(2023, 11, 14),
            "batch_id": 7,
        }
    ]


def test_what_is_not_known_is_null_in_the_table() -> None:
    unknown: dict[str, Any] = dict.fromkeys(
        ("mean", "baseline_mean", "effect", "effect_lower", "effect_upper", "window_start_ms")
    )
    (row,) = estimates_table([estimate(**unknown)], 0, 0).to_pylist()
    nulls = {name for name, value in row.items() if value is None}
    assert nulls == (unknown.keys() - {"window_start_ms"}) | {"window_start", "quantiles", *DRIFT}
    (row,) = estimates_table([estimate(drift=DRIFTED)], 0, 0).to_pylist()
    assert [row[name] for name in DRIFT] == [14.5, 13.25, "drifted", ["0.5 to 1: more"]]


def test_an_alert_about_a_drift_says_where_and_is_another_alert_than_that_about_the_mean() -> None:
    alarm = replace(ALARM, kind=AlertKind.DRIFT)
    step = AlertStep(Transition(alarm), estimate(window="baseline", drift=DRIFTED), NOW_MS)
    (row,) = alerts_table(alert_rows([step], 7)).to_pylist()
    assert (row["kind"], row["drift_cells"]) == ("drift", ["0.5 to 1: more"])
    assert row["log_threshold"] == 13.25
    assert step.alert_id != OPENED.alert_id


def test_an_opened_alert_is_a_row_with_its_evidence() -> None:
    table = alerts_table(alert_rows([OPENED], 7))
    assert table.schema == ALERTS
    (row,) = table.to_pylist()
    assert row.pop("series_key") == str(KEY)
    assert row == {
        "alert_id": OPENED.alert_id,
        "revision": 0,
        "status": "opened",
        "kind": "regression",
        "model": "assistant",
        "segment": "__all__",
        "scorer": "contains",
        "evaluation_version": "v1",
        "against": "",
        "opened_at": instant(NOW_MS),
        "opened_pane": instant(900_000),
        "began_at": instant(600_000),
        "n_since_began": 77,
        "n_scored": 0,
        "mean_since_baseline": 0.7,
        "lower": 0.6,
        "upper": 0.8,
        "baseline_n": 200,
        "baseline_mean": 0.9,
        "log_evidence": 13.5,
        "log_threshold": 12.25,
        "sample_ids": ["s9", "s1"],
        "drift_cells": None,
        "culprit": None,
        "attributed_at": None,
        "resolved_at": None,
        "resolved_pane": None,
        "why": None,
        "who": None,
        "reason": None,
        "batch_id": 7,
    }


def test_an_alert_found_again_by_a_repeated_batch_has_the_same_id_and_others_have_others() -> None:
    again = replace(OPENED, at_ms=NOW_MS + 5_000, sample_ids=[], since=estimate(mean=0.5))
    assert again.alert_id == OPENED.alert_id
    later = replace(OPENED, transition=Transition(replace(ALARM, opened_ms=960_000)))
    elsewhere = replace(OPENED, since=estimate(ODD))
    assert len({OPENED.alert_id, later.alert_id, elsewhere.alert_id}) == 3


def test_a_pinned_baseline_is_a_row() -> None:
    table = baselines_table([PINNED], 7, NOW_MS)
    assert table.schema == BASELINES
    (row,) = table.to_pylist()
    assert (row["series_key"], row["model"]) == (str(KEY), "assistant")
    assert (row["n"], row["counts"], row["mean"], row["lower_bound"]) == (100, [10, 90], 0.9, 0.84)
    assert (row["period_end"], row["created_at"]) == (instant(600_000), instant(NOW_MS))
    assert (row["kind"], row["batch_id"], row["seasonal"]) == ("pinned", 7, False)
    assert (row["status"], row["version"], row["source"]) == ("in_force", 1, "scores")
    assert (row["promoted_by"], row["period_start"]) == ("configuration", instant(0))


def test_a_resolved_alert_is_a_second_row_under_the_same_id() -> None:
    promoted = Resolution(Why.PROMOTED, 960_000, "mira", "the new model is the standard now")
    ended = replace(OPENED, transition=Transition(ALARM, promoted), sample_ids=())
    opened, resolved = alerts_table(alert_rows([OPENED, ended], 8)).to_pylist()
    assert resolved["alert_id"] == opened["alert_id"]
    assert (resolved["revision"], resolved["status"], resolved["why"]) == (
        1,
        "resolved",
        "promoted",
    )
    assert (resolved["who"], resolved["reason"]) == (promoted.who, promoted.reason)
    assert (resolved["resolved_at"], resolved["resolved_pane"]) == (
        instant(NOW_MS),
        instant(960_000),
    )
    assert resolved["opened_at"] is None
    unchanged = ("opened_pane", "began_at", "n_since_began", "log_evidence")
    assert [resolved[name] for name in unchanged] == [opened[name] for name in unchanged]


def test_a_promoted_baseline_keeps_its_id_and_says_who_and_why() -> None:
    baseline = Baseline((10, 90), 0, 600_000, 2, "b1", "mira", "accepted")
    stored = replace(PINNED, baseline=baseline, seasonal=True, lower_bound=None)
    (row,) = baselines_table([stored], 7, NOW_MS).to_pylist()
    assert (row["baseline_id"], row["kind"], row["version"]) == ("b1", "frozen", 2)
    assert (row["promoted_by"], row["reason"]) == ("mira", "accepted")
    assert (row["seasonal"], row["lower_bound"]) == (True, None)
    made = replace(stored, baseline=replace(baseline, version=0, by="", reason=""))
    (row,) = baselines_table([made], None, NOW_MS).to_pylist()
    assert (row["status"], row["version"], row["promoted_by"]) == ("created", None, None)


def test_a_baseline_s_id_follows_from_its_series_and_its_end() -> None:
    other_counts = replace(PINNED.baseline, counts=(1, 1))
    assert replace(PINNED, baseline=other_counts, mean=0.5).baseline_id == PINNED.baseline_id
    longer = replace(PINNED.baseline, end_ms=660_000)
    others = (replace(PINNED, key=ODD), replace(PINNED, baseline=longer))
    assert len({PINNED.baseline_id, *(other.baseline_id for other in others)}) == 3


def test_nothing_to_say_is_an_empty_table_with_all_columns() -> None:
    assert estimates_table([], 0, 0).equals(ESTIMATES.empty_table())
    assert alerts_table([]).equals(ALERTS.empty_table())
    assert baselines_table([], 0, 0).equals(BASELINES.empty_table())
