"""Puts the sink of the score query together."""

from __future__ import annotations

from pathlib import Path

from streaming_eval.adapters.batch_rate import BatchRate
from streaming_eval.adapters.spending_metrics import SpendingMetrics
from streaming_eval.pipeline.batch_plan import sink_limits
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.score_sink import ScoreOutlets, ScoreSink
from streaming_eval.pipeline.spending_plan import open_books
from streaming_eval.pipeline.worker import ScorePlan
from streaming_eval.pipeline.workers import Workers
from streaming_eval.settings import Settings


def score_sink(
    settings: Settings,
    plan: ScorePlan,
    outlets: ScoreOutlets,
    checkpoint: Path,
    gate: Gate,
    metrics: SpendingMetrics,
) -> ScoreSink:
    """What evaluates, pays for and commits the batches of the score query.

    Args:
        settings: the whole configuration.
        plan: what the workers do.
        outlets: where results go.
        checkpoint: of the query.
        gate: passed by every batch.
        metrics: told of costs.
    """
    purchases = open_books(
        settings,
        plan.evaluation,
        outlets.tables,
        rates=BatchRate(checkpoint / "sampling-rate.json"),
        gate=gate,
        metrics=metrics,
    )
    workers = Workers(plan, settings.spark.partitions, outlets.tables, outlets.answers)
    return ScoreSink(workers, purchases, outlets, checkpoint, gate, sink_limits(settings))
