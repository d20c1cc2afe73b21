from collections.abc import Callable, Iterable
from math import log

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from streaming_eval.adapters.model_exposition import model_metrics, render_models
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import EstimateView, Snapshot
from tests.exporter_data import PROMISES, fleet, view

HOSTILE = 'a"b\\c\nd'


def samples(*views: EstimateView) -> dict[tuple[str, ...], float]:
    text = render_models(Snapshot(PROMISES, views)).decode()
    return {
        (
            s.name.removeprefix("streaming_eval_model_regression_"),
            *(s.labels[name] for name in ("model", "scorer", "against")),
        ): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_a_model_shows_the_mean_of_its_segments_and_their_share_of_the_budget() -> None:
    keys = [SeriesKey("m", segment, "contains", "v") for segment in ("__all__", "tier=pro")]
    shown = samples(*(view(key, log_evidence=3.0, log_threshold=12.0) for key in keys))
    assert shown["log_evidence", "m", "contains", ""] == pytest.approx(3.0)
    assert shown["log_threshold", "m", "contains", ""] == pytest.approx(12.0 - log(2))


def test_windows_and_superseded_versions_of_a_series_count_once() -> None:
    old, new = (SeriesKey("m", "__all__", "contains", version) for version in ("v1", "v2"))
    shown = samples(
        view(old, log_evidence=9.0, updated_ms=1),
        view(new, "1h", log_evidence=2.0, updated_ms=2),
        view(new, "baseline", log_evidence=2.0, updated_ms=2),
    )
    assert shown["log_evidence", "m", "contains", ""] == pytest.approx(2.0)


def test_a_scorer_without_alarm_is_not_shown() -> None:
    assert samples(view(SeriesKey("m", "__all__", "latency_ms", "v"))) == {}


def test_any_name_is_one_label() -> None:
    shown = samples(view(SeriesKey(HOSTILE, "__all__", "contains", "v")))
    assert {key[1] for key in shown} == {HOSTILE}


def test_the_text_is_openmetrics_too_and_every_metric_is_described() -> None:
    text = render_models(fleet()).decode()
    parse: Callable[[str], Iterable[Metric]] = openmetrics.text_string_to_metric_families
    families = list(parse(text + "# EOF\n"))
    assert [f.name for f in families] == [m.name for m in model_metrics()]
    assert all(family.samples for family in families)
