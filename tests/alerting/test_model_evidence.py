"""A model's evidence over its segments: a detector of its own within the same budget."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.alerting.model_evidence import ModelEvidence, by_model
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import EstimateView
from streaming_eval.stats.e_detector import BETS, LOG_ZERO, EDetector, log_evidence, step
from streaming_eval.stats.levels import Floats
from tests.exporter_data import view

ALARMED = frozenset({"contains"})


def series(segment: str, evidence: float, threshold: float = 12.0, **key: str) -> EstimateView:
    names = {"model": "m", "scorer": "contains", "against": ""} | key
    made = SeriesKey(names["model"], segment, names["scorer"], "v1", names["against"])
    return view(made, log_evidence=evidence, log_threshold=threshold)


def of(*views: EstimateView) -> ModelEvidence:
    (found,) = by_model(views, ALARMED)
    return found


def test_one_series_alone_is_the_model() -> None:
    found = of(series("__all__", 3.0))
    assert (found.log_evidence, found.log_threshold) == (3.0, 12.0)
    assert (found.series, found.worst, found.regressed) == (1, "__all__", False)


def test_many_that_are_near_their_thresholds_are_an_alarm_of_the_model() -> None:
    near = [series(f"tier={n}", 12.0 - log(4)) for n in range(4)]
    assert of(*near).regressed
    assert not of(*near[:3]).regressed


def test_no_evidence_anywhere_is_no_evidence_to_the_last_bit() -> None:
    silent = [series(f"tier={n}", LOG_ZERO) for n in range(7)]
    assert all(of(*silent[:n]).log_evidence == LOG_ZERO for n in range(1, 8))


EVIDENCES = st.lists(
    st.tuples(st.floats(-700.0, 30.0), st.floats(5.0, 20.0)), min_size=1, max_size=8
)


@given(EVIDENCES)
def test_it_is_reached_when_the_shares_of_the_thresholds_add_up_to_one(
    pairs: list[tuple[float, float]],
) -> None:
    found = of(*(series(f"s={n}", e, threshold) for n, (e, threshold) in enumerate(pairs)))
    over = sum(exp(evidence - threshold) for evidence, threshold in pairs)
    if abs(over - 1.0) > 1e-9:
        assert found.regressed == (over >= 1.0)
    if any(evidence > threshold + 1e-9 for evidence, threshold in pairs):
        assert found.regressed, "never later than one of its series"


@given(EVIDENCES)
def test_a_series_without_evidence_changes_no_decision(pairs: list[tuple[float, float]]) -> None:
    views = [series(f"s={n}", e, threshold) for n, (e, threshold) in enumerate(pairs)]
    alone, joined = of(*views), of(*views, series("new=1", LOG_ZERO))
    apart = alone.log_evidence - alone.log_threshold
    if apart > -600:
        assert joined.log_evidence - joined.log_threshold == pytest.approx(apart)
    assert joined.series == alone.series + 1


def test_models_scorers_and_comparisons_are_apart_and_only_alarmed_scorers_count() -> None:
    found = by_model(
        [
            series("__all__", 1.0),
            series("tier=pro", 2.0),
            series("__all__", 3.0, model="n"),
            series("__all__", 4.0, against="n"),
            series("__all__", 99.0, scorer="latency_ms"),
        ],
        ALARMED,
    )
    assert [(each.model, each.against, each.series) for each in found] == [
        ("m", "", 2),
        ("m", "n", 1),
        ("n", "", 1),
    ]
    assert by_model([], ALARMED) == []


@pytest.mark.parametrize("dependent", [True, False])
def test_false_alarms_of_models_and_series_together_keep_to_the_budget(dependent: bool) -> None:
    """Two models of three healthy segments, alike or not: at most T / A of runs ever alarm."""
    rng = np.random.default_rng(5)
    budget, panes, runs, segments, models = 100, 50, 80, 3, 2
    threshold = log(budget * segments * models)
    detector = EDetector.for_drops(0.9, 0.09)
    alarmed = 0
    for _ in range(runs):
        drawn = rng.binomial(20, 0.9, (panes, models, 1 if dependent else segments))
        passes = np.broadcast_to(drawn, (panes, models, segments)).reshape(panes, -1)
        log_m, fired = np.full((models * segments, BETS), LOG_ZERO), False
        for row in passes:
            log_m = step(log_m, detector.increments(np.stack([20 - row, row], axis=1)))
            fired |= any(each.regressed for each in by_model(_views(log_m, threshold), ALARMED))
        alarmed += fired
    assert 0 < alarmed / runs <= panes / budget


def _views(log_m: Floats, threshold: float) -> list[EstimateView]:
    return [
        series(f"s={n % 3}", float(e), threshold, model=f"m{n // 3}")
        for n, e in enumerate(log_evidence(log_m))
    ]
