"""From the settings to what a worker is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streaming_eval.adapters.quota_wire import QuotaAddress
from streaming_eval.adapters.worker_runtime import RuntimePlan
from streaming_eval.formats.limits import Limits
from streaming_eval.inference.cache.freshness import Freshness
from streaming_eval.inference.cache.with_cache import CachePolicy
from streaming_eval.inference.evaluate import EvaluationPlan
from streaming_eval.pipeline.batch_plan import batch_limits
from streaming_eval.pipeline.clusters import ClusterBy
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.pipeline.worker import ScorePlan
from streaming_eval.pipeline.worker_life import LifeLimits
from streaming_eval.settings import CacheSettings, LimitSettings, Settings

_BESIDE_CALLS_S = 600.0  # the index of a large cache is built, records are parsed, rows are made


def score_plan(settings: Settings, evaluation: EvaluationPlan, runtime: RuntimePlan) -> ScorePlan:
    """Everything that the workers need."""
    return ScorePlan(
        evaluation=evaluation,
        runtime=runtime,
        limits=_limits(settings.limits),
        allowed_clock_skew_ms=settings.limits.allowed_clock_skew,
        batches=batch_limits(settings),
        clusters=ClusterBy(settings.monitor.clusters),
        life=_life_limits(settings),
    )


def runtime_plan(
    settings: Settings,
    *,
    responses_uri: str,
    index_path: Path,
    quota: QuotaAddress | None,
    freshness: Freshness,
) -> RuntimePlan:
    """What lives in a worker process from batch to batch."""
    partitions = settings.spark.partitions
    return RuntimePlan(
        endpoints=tuple(
            endpoint_plan(name, endpoint, partitions)
            for name, endpoint in settings.endpoints.items()
        ),
        policy=CachePolicy(settings.cache.policy),
        responses_uri=responses_uri,
        index_path=str(index_path),
        quota=quota,
        freshness=freshness,
    )


def freshness(cache: CacheSettings, now_ms: Callable[[], int]) -> Freshness:
    """Which stored answers count; those of a refresh that begins now, if that is the policy."""
    since_ms = now_ms() if CachePolicy(cache.policy) is CachePolicy.REFRESH else None
    return Freshness(cache.max_age, since_ms, cache.serve_stale)


def _life_limits(settings: Settings) -> LifeLimits:
    """A part of a batch ends at the batch's deadline, but for what comes before and after calls."""
    return LifeLimits(
        silence_s=settings.spark.worker_silence / 1_000,
        work_s=settings.batches.deadline / 1_000 + _BESIDE_CALLS_S,
    )


def _limits(limits: LimitSettings) -> Limits:
    return Limits(
        max_record_bytes=limits.max_record_bytes,
        max_segments=limits.max_segments,
        max_segment_chars=limits.max_segment_chars,
        max_messages=limits.max_messages,
    )
