import math
import shutil
import subprocess

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from streaming_eval.adapters.exposition import quality_metrics, render
from streaming_eval.alerting.verdict import MonitorState
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import EstimateView, Snapshot
from tests.exporter_data import PROMISES, fleet, view

OWN = SeriesKey("assistant", "__all__", "contains", "0f3a")
PAIRED = SeriesKey("llama-2-13b", "__all__", "contains", "0f3a", against="llama-2-7b")


def samples(*views: EstimateView) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = render(Snapshot(PROMISES, views)).decode()
    found = [s for family in text_string_to_metric_families(text) for s in family.samples]
    values = {(s.name, frozenset(s.labels.items())): s.value for s in found}
    assert len(values) == len(found), "one time series was written twice"
    return values


def value(name: str, *views: EstimateView, **labels: str) -> float | None:
    return samples(*views).get((f"streaming_eval_{name}", frozenset(labels.items())))


def names(*views: EstimateView) -> set[str]:
    return {name.removeprefix("streaming_eval_") for name, _ in samples(*views)}


def test_an_own_series_shows_its_mean_with_limits_and_its_baseline() -> None:
    labels = {"model": "assistant", "segment": "__all__", "scorer": "contains"}
    shown = view(OWN)
    assert value("score_mean", shown, **labels, window="1h") == 0.714
    assert value("score_lower", shown, **labels, window="1h") == 0.66
    assert value("score_upper", shown, **labels, window="1h") == 0.763
    assert value("score_samples", shown, **labels, window="1h") == 668
    assert value("score_missing", shown, **labels, window="1h") == 3
    assert value("effect", shown, **labels, window="1h") == -0.187
    assert value("baseline_mean", shown, **labels) == 0.901
    assert value("regression_log_evidence", shown, **labels) == 21.5
    assert value("regression_log_threshold", shown, **labels) == 12.25
    assert value("estimate_timestamp_seconds", shown, **labels) == 1_700_000_000.0
    assert value("series_info", shown, **labels, evaluation_version="0f3a") == 1


def test_a_paired_series_shows_an_effect_and_no_score() -> None:
    labels = {
        "model": "llama-2-13b", "segment": "__all__", "scorer": "contains",
        "against": "llama-2-7b", "window": "1h",
    }  # fmt: skip
    assert value("effect", view(PAIRED, effect=0.009), **labels) == 0.009
    assert not {"score_mean", "score_lower", "score_upper"} & names(view(PAIRED))


@pytest.mark.parametrize("state", list(MonitorState))
def test_exactly_one_state_is_set(state: MonitorState) -> None:
    labels = {"model": "assistant", "segment": "__all__", "scorer": "contains"}
    for each in MonitorState:
        shown = value("monitor_state", view(OWN, state=state), **labels, state=each)
        assert shown == (each is state)


def test_the_state_has_no_window_and_is_the_one_computed_last() -> None:
    late = view(OWN, "baseline", state="regressed", updated_ms=2)
    early = view(OWN, "1h", state="ok", updated_ms=1)
    labels = {"model": "assistant", "segment": "__all__", "scorer": "contains"}
    for views in ((late, early), (early, late)):
        assert value("monitor_state", *views, **labels, state="regressed") == 1


def test_what_is_unknown_is_not_shown_as_zero() -> None:
    unknown = view(OWN, n=0, mean=None, baseline_mean=None, effect=None, effect_lower=None,
                   effect_upper=None)  # fmt: skip
    shown = names(unknown)
    assert not {"score_mean", "baseline_mean", "effect", "effect_lower", "effect_upper"} & shown
    assert {"score_lower", "score_upper", "score_samples", "monitor_state"} <= shown


def test_of_two_evaluation_versions_only_the_newest_is_shown() -> None:
    new = SeriesKey("assistant", "__all__", "contains", "0000")
    views = (view(OWN, mean=0.9, updated_ms=1), view(new, mean=0.1, updated_ms=2))
    labels = {"model": "assistant", "segment": "__all__", "scorer": "contains"}
    assert value("score_mean", *views, **labels, window="1h") == 0.1
    assert value("series_info", *views, **labels, evaluation_version="0f3a") is None
    assert value("series", *views) == 1


def test_promises_are_shown_even_of_an_empty_fleet() -> None:
    assert value("alpha") == 0.05
    assert value("false_alarm_budget_seconds") == 604_800
    assert value("series") == 0


@pytest.mark.parametrize(
    "hostile", ['a"b', "a\\", "a\nb", "a} 1\nfake 2", "é😀", "__name__", "\\n", "x" * 65_536]
)
def test_no_label_value_breaks_the_page(hostile: str) -> None:
    labels = {"model": hostile, "segment": hostile, "scorer": "contains", "window": "1h"}
    key = SeriesKey(hostile, hostile, "contains", "0f3a")
    assert value("score_mean", view(key), **labels) == 0.714


def test_a_lone_surrogate_does_not_cost_the_scrape() -> None:
    key = SeriesKey("\ud800", "__all__", "contains", "0f3a")
    assert value("score_mean", view(key), model="?", segment="__all__", scorer="contains",
                 window="1h") == 0.714  # fmt: skip


@pytest.mark.parametrize("evidence", [math.inf, -math.inf, 1e300, -1e-300])
def test_extreme_numbers_survive(evidence: float) -> None:
    labels = {"model": "assistant", "segment": "__all__", "scorer": "contains"}
    shown = view(OWN, log_evidence=evidence)
    assert value("regression_log_evidence", shown, **labels) == evidence


def test_the_text_is_also_open_metrics() -> None:
    page = render(fleet()).decode() + "# EOF\n"
    families = openmetrics.text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
    assert {family.name for family in families} == {metric.name for metric in quality_metrics()}


def test_promtool_finds_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is needed: install the package prometheus"
    done = subprocess.run(
        [promtool, "check", "metrics"], input=render(fleet()), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
