"""Quantities that may drift, from settings to estimates: lengths, latencies, categories."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from streaming_eval.pipeline.estimates import IntervalPlan, estimates
from streaming_eval.pipeline.plan import MonitorPlan, monitor_plan
from streaming_eval.pipeline.series_counts import alarmed_series, series_limit
from streaming_eval.records import ALL_SEGMENTS, OTHER, SeriesKey
from tests.pipeline.fleet import CAP_MS, plan, settings
from tests.pipeline.reports import report
from tests.pipeline.test_plan import everything_imaginable, series_of

INTERVALS = IntervalPlan(alpha=0.05, expected_n=1_000, window_label="5m")
URL = "http://127.0.0.1:9/v1"
CELLS: Mapping[str, object] = {
    "kind": "embedding_cell",
    "embedding": {"endpoint": "vectors", "model": "e"},
}
ENDPOINTS: Mapping[str, object] = {
    "models": {"base_url": URL},
    "vectors": {"base_url": URL, "api": "openai_embeddings"},
}


@pytest.mark.parametrize("kind", ["prompt_chars", "response_chars"])
def test_a_length_is_watched_for_drift_only_and_never_against_a_constant(kind: str) -> None:
    constant = {"baseline": {"kind": "constant", "value": 0.9}}
    monitor = plan(scorers=[{"kind": kind}], monitor=constant, comparisons=[])
    watched = monitor.own[kind]
    assert (watched.alarm, watched.judged, watched.baseline_constant) == (False, False, None)
    assert watched.drift is not None
    assert watched.drift.ordered
    assert monitor.scales[kind].logarithmic


def test_the_smallest_effect_of_a_logarithmic_latency_is_a_share_of_it() -> None:
    scorer = {"kind": "latency_ms", "cap_ms": CAP_MS, "logarithmic": True}
    monitor = plan(scorers=[scorer | {"smallest_effect": 0.25}], comparisons=[])
    effect = math.log(1.25) / math.log(CAP_MS + 1)
    assert monitor.own["latency_ms"].smallest_effect == pytest.approx(effect)
    of_range = plan(scorers=[scorer], comparisons=[]).own["latency_ms"].smallest_effect
    assert of_range == 0.02


def test_a_share_of_a_latency_says_nothing_of_a_difference_in_milliseconds() -> None:
    scorer = {"kind": "latency_ms", "cap_ms": CAP_MS, "logarithmic": True, "smallest_effect": 0.5}
    pair = plan(scorers=[scorer]).paired["latency_ms", "small", "large"]
    assert pair.smallest_effect == pytest.approx(0.02 / 2)


def test_another_spacing_is_another_evaluation_version() -> None:
    even, logarithmic = (
        plan(scorers=[{"kind": "latency_ms", "logarithmic": given}]).layout.scales.keys()
        for given in (False, True)
    )
    assert even != logarithmic


def test_categories_have_no_pairs_and_the_limit_of_series_knows() -> None:
    fleet = settings(scorers=[CELLS, {"kind": "contains"}], endpoints=ENDPOINTS)
    monitor = monitor_plan(fleet)
    assert {scorer for scorer, _, _ in monitor.paired} == {"contains"}
    keys = series_of(everything_imaginable(fleet, monitor), monitor)
    assert len(keys) == series_limit(fleet)
    assert all(monitor.watches(key) for key in keys)


@pytest.mark.parametrize("scorer", [{"kind": "prompt_chars"}, {**CELLS, "text": "prompt"}])
def test_what_is_asked_has_series_of_production_s_models_and_takes_no_other_share(
    scorer: Mapping[str, object],
) -> None:
    fleet = settings(scorers=[scorer], endpoints=ENDPOINTS)
    monitor = monitor_plan(fleet)
    assert not monitor.paired
    keys = series_of(everything_imaginable(fleet, monitor), monitor)
    own = {key.model for key in keys if key.scorer == scorer["kind"]}
    assert own == {"assistant", OTHER}
    # Two models; all samples, pro, free, others; and the mix of the one segment.
    assert len(keys) == series_limit(fleet) == alarmed_series(fleet) == 2 * 4 + 1


def quantity(scorer: Mapping[str, object], **fleet: object) -> tuple[MonitorPlan, SeriesKey]:
    """A fleet of one scorer, and its series."""
    monitor = plan(scorers=[scorer], comparisons=[], **fleet)
    ((name, version),) = monitor.layout.scales
    return monitor, SeriesKey("assistant", ALL_SEGMENTS, name, version)


def test_the_mean_on_a_logarithmic_scale_is_geometric_and_so_is_the_effect() -> None:
    monitor, series = quantity({"kind": "latency_ms", "cap_ms": CAP_MS, "logarithmic": True})
    slow, fast = ([0] * 129 for _ in range(2))
    slow[32], fast[96] = 900, 900  # three quarters of the way to the cap, and a quarter
    window, _ = estimates(
        [report(series, slow, since=slow, baseline=fast, pinned=True)], monitor, INTERVALS
    )
    assert window.mean is not None and window.baseline_mean is not None
    assert window.effect is not None
    assert window.mean == pytest.approx((CAP_MS + 1) ** 0.75 - 1)
    assert window.baseline_mean == pytest.approx((CAP_MS + 1) ** 0.25 - 1)
    assert window.effect == window.mean - window.baseline_mean
    assert window.effect_lower is not None and window.effect_upper is not None
    assert 0 < window.effect_lower < window.effect < window.effect_upper < CAP_MS


def test_categories_are_counted_and_have_no_mean_and_no_effect() -> None:
    monitor, series = quantity(CELLS, endpoints=ENDPOINTS)
    made = report(series, [30, 70], since=[30, 70], baseline=[50, 50], pinned=True)
    window, _ = estimates([made], monitor, INTERVALS)
    assert (window.mean, window.effect, window.baseline_mean) == (None, None, None)
    assert (window.n, window.counts) == (100, (30, 70))
