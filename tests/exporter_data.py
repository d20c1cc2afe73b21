"""A small fleet in every state, and one of every pipeline event, for tests of what is exported."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from streaming_eval.adapters.endpoint_metrics import HEDGE_OUTCOMES, EndpointMetrics
from streaming_eval.adapters.exporter import Exporter
from streaming_eval.adapters.prometheus import PipelineMetrics
from streaming_eval.adapters.spending_metrics import SpendingMetrics
from streaming_eval.alerting.verdict import MonitorState
from streaming_eval.inference.calls.breaker import CircuitState
from streaming_eval.inference.quota.quotas import QuotaStatus
from streaming_eval.inference.spending.budget import Budget, Per, Unit
from streaming_eval.inference.spending.price import pico
from streaming_eval.records import ALL_SEGMENTS, JUDGE, SEGMENT_MIX, ScoreStatus, SeriesKey
from streaming_eval.snapshot import CulpritView, EstimateView, Promises, QuantileView, Snapshot

PROMISES = Promises(
    alpha=0.05,
    seconds_per_false_alarm=604_800,
    alarmed_scorers=frozenset({"contains", "token_f1"}),
)
QUANTILES = (
    QuantileView(0.5, 850.0, 790.0, 930.0),
    QuantileView(0.95, 2_400.0, 2_050.0, 3_100.0),
    QuantileView(0.99, 4_300.0, 2_900.0, None),
)
STATE_OF = {
    "assistant": MonitorState.REGRESSED,
    "llama-2-7b": MonitorState.OK,
    "llama-2-13b": MonitorState.SUSPECT,
}
# Of a threshold of 12.25: two segments that are suspect are enough together.
LOG_EVIDENCE_OF = {
    MonitorState.REGRESSED: 21.5,
    MonitorState.OK: 2.5,
    MonitorState.SUSPECT: 12.0,
}


def view(key: SeriesKey, window: str = "1h", **changed: object) -> EstimateView:
    """An estimate with plausible values in every field that is not given."""
    values: dict[str, object] = {
        "n": 668, "mean": 0.714, "lower": 0.66, "upper": 0.763, "baseline_mean": 0.901,
        "effect": -0.187, "effect_lower": -0.241, "effect_upper": -0.138, "log_evidence": 21.5,
        "log_threshold": 12.25, "state": "ok", "missing": 3, "baseline_missing": 0,
        "updated_ms": 1_700_000_000_000,
    }  # fmt: skip
    if not key.against:
        values |= {"drift_log_evidence": 3.5, "drift_log_threshold": 12.25, "drift_state": "ok"}
    return EstimateView(key, window, **(values | changed))  # type: ignore[arg-type]


def fleet(updated_ms: int = 1_700_000_000_000) -> Snapshot:
    """Three models, two segments, two windows, and one candidate against another."""
    own = [
        SeriesKey(model, segment, "contains", "0f3a")
        for model, segment in product(STATE_OF, (ALL_SEGMENTS, "tier=pro"))
    ]
    paired = SeriesKey("llama-2-13b", ALL_SEGMENTS, "contains", "0f3a", against="llama-2-7b")
    new = SeriesKey("llama-2-13b", ALL_SEGMENTS, "token_f1", "77aa")
    states = {key: STATE_OF[key.model] for key in own}
    views = [
        view(key, window, state=state, log_evidence=LOG_EVIDENCE_OF[state])
        for key, state in states.items()
        for window in ("1h", "baseline")
    ]
    views += [
        view(paired, "1h", mean=0.009, lower=-0.02, upper=0.04, effect=0.009, baseline_mean=0.0),
        view(new, "1h", n=0, mean=None, lower=0.0, upper=1.0, baseline_mean=None, effect=None,
             effect_lower=None, effect_upper=None, log_evidence=-700.0, state="insufficient"),
    ]  # fmt: skip
    slow = SeriesKey("assistant", ALL_SEGMENTS, "latency_ms", "51aa")
    views += [view(slow, w, mean=900.0, quantiles=QUANTILES) for w in ("1h", "baseline")]
    said = CulpritView(own[0], "regression", "undecided")
    return Snapshot(PROMISES, tuple(replace(v, updated_ms=updated_ms) for v in views), (said,))


def drifting(updated_ms: int) -> Snapshot:
    """The fleet, and what users ask, a judge's scores and the judge itself, all of which moved."""
    shown = fleet(updated_ms)
    mix = SeriesKey("assistant", "tier", SEGMENT_MIX, "51ab")
    graded = SeriesKey("assistant", ALL_SEGMENTS, "helpful", "9c0e")
    agreement = SeriesKey(JUDGE, ALL_SEGMENTS, "helpful:anchors", "d41d")
    moved = (
        view(mix, mean=None, baseline_mean=None, effect=None),
        view(graded, "baseline", mean=2.4, baseline_mean=2.6),
    )
    judge = view(
        agreement, "baseline", mean=0.72, baseline_mean=0.9, state="regressed", drift_state=None,
        drift_log_evidence=None, drift_log_threshold=None, updated_ms=updated_ms,
    )  # fmt: skip
    views = (
        replace(v, drift_state="drifted", drift_log_evidence=18.25, updated_ms=updated_ms)
        for v in moved
    )
    said = CulpritView(graded, "drift", "judge")
    return Snapshot(PROMISES, (*shown.estimates, *views, judge), (*shown.culprits, said))


def full_house(mean: float = 0.5) -> Snapshot:
    """As many series as a default configuration allows: 2,000, in two windows each."""
    keys = [SeriesKey(f"model-{n % 10}", f"tier={n}", "contains", "0f3a") for n in range(2_000)]
    views = (view(key, window, mean=mean) for key in keys for window in ("1h", "baseline"))
    return Snapshot(PROMISES, tuple(views))


def work(metrics: PipelineMetrics, now_s: float) -> None:
    """One of everything that a pipeline can report."""
    metrics.count_samples("scored", 200)
    metrics.count_samples("duplicate", 2)
    metrics.count_samples("dead_letter", 1)
    metrics.count_missing_scores(ScoreStatus.FAILED, 3)
    metrics.count_dead_letters("not_json", 1)
    metrics.count_late_samples(1)
    metrics.count_requests("recorded", "ok", 150)
    metrics.count_requests("recorded", "http_400", 1)
    metrics.count_tokens("input", 9_000)
    metrics.count_tokens("output", 3_000)
    metrics.count_cache_lookups("hit", 50)
    metrics.count_cache_lookups("miss", 151)
    metrics.count_cache_lookups("stale", 2)
    metrics.count_retries("http_429", 4)
    metrics.observe_pending(2)
    metrics.observe_state_bytes(1_200)
    _spend(metrics.spending)
    for query in ("score", "monitor"):
        metrics.observe_batch(query, 0.4, now_s)
        metrics.observe_event_time_lag(query, 1.7)
    metrics.observe_scores(now_s)
    metrics.observe_kafka_lag({("llm.samples.v1", 0): 12, ("llm.samples.v1", 1): 9})
    call(metrics.endpoints)


def call(endpoints: EndpointMetrics) -> None:
    """One of everything that is known of an endpoint beyond its calls."""
    endpoints.count_durations("recorded", "0.5", 151)
    endpoints.count_duration_us("recorded", 45_000_000)
    endpoints.count_openings("recorded", 1)
    endpoints.count_refusals("recorded", 2)
    for outcome in HEDGE_OUTCOMES:
        endpoints.count_hedges("recorded", outcome, 3)
    endpoints.count_saved_tokens("recorded", "input", 3_000)
    endpoints.count_saved_tokens("recorded", "output", 1_000)
    endpoints.count_saved_ms("recorded", 15_250)
    endpoints.observe_in_flight({"recorded": 48})
    endpoints.observe_in_flight_limits({"recorded": 64})
    endpoints.observe_circuits({"recorded": {CircuitState.CLOSED}})
    endpoints.read_quotas(lambda: {"recorded": QuotaStatus(0.5, 300.0, 600, 2, 7, 48, 0)})


def _spend(spending: SpendingMetrics) -> None:
    budget = Budget(Unit.MONEY, pico(20), Per.DAY)
    spending.count_cost("gpt-4o-mini", pico(1.5))
    spending.count_saved_cost("gpt-4o-mini", pico(0.5))
    spending.count_refused(budget, 3)
    spending.observe_budgets({budget: 0.4})


def serving(snapshot: Snapshot, now_s: float) -> Exporter:
    """A started, filled and ready exporter on a free loopback port; the caller stops it."""
    exporter = Exporter("127.0.0.1", 0)
    work(exporter.metrics, now_s)
    exporter.publish(snapshot)
    exporter.mark_ready()
    exporter.start()
    return exporter
