"""Puts the parts together from the settings; the only place that knows all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.checkpoint import agree
from streaming_eval.adapters.exporter import Exporter
from streaming_eval.adapters.kafka import (
    DeadLetterProducer,
    end_offsets,
    ensure_topic,
    resolve_security,
)
from streaming_eval.adapters.kafka_java import java_security
from streaming_eval.adapters.pending_records import PendingRecords
from streaming_eval.adapters.quota_wire import QuotaAddress
from streaming_eval.errors import SettingsError
from streaming_eval.pipeline import monitor_query, score_query
from streaming_eval.pipeline.batch_plan import sink_limits
from streaming_eval.pipeline.board import Board
from streaming_eval.pipeline.clusters import cluster_ids, with_first_of_cluster
from streaming_eval.pipeline.dead_letters import publish_dead_letters
from streaming_eval.pipeline.estimates import IntervalPlan
from streaming_eval.pipeline.evaluation_versions import record_versions
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.job_tables import own_tables
from streaming_eval.pipeline.lag import LagWatch
from streaming_eval.pipeline.monitor_sink import MonitoredBatch, MonitorOutlets, MonitorSink
from streaming_eval.pipeline.observers import observe_monitored, observe_scored
from streaming_eval.pipeline.plan import evaluation_plan, monitor_plan
from streaming_eval.pipeline.quota_service import quota_service
from streaming_eval.pipeline.recent_samples import RecentSamples
from streaming_eval.pipeline.retry_loop import RetryLoop
from streaming_eval.pipeline.sample_hash import hash_ids
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.pipeline.score_sink import ScoredBatch, ScoreOutlets, ScoreSink
from streaming_eval.pipeline.score_wiring import score_sink
from streaming_eval.pipeline.series_counts import series_limit
from streaming_eval.pipeline.series_processor import LAYOUT
from streaming_eval.pipeline.worker import ScorePlan
from streaming_eval.pipeline.worker_plan import freshness, runtime_plan, score_plan
from streaming_eval.settings import Settings, duration_text
from streaming_eval.snapshot import Promises

_LAG_TIMEOUT_S = 5.0


class Job:
    """Both queries and everything they are connected to.

    Args:
        settings: the whole configuration.

    Attributes:
        gate: passed by every batch.
        exporter: shows what is known.
        pending: samples that wait for a later batch.
        retries: tries those again; there once the queries have started.
        last_batch_at: when a batch last committed, monotonic seconds.
    """

    retries: RetryLoop

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.storage.root.absolute()
        self.gate = Gate()
        self.exporter = Exporter(
            settings.exporter.host, settings.exporter.port, settings.prices.currency
        )
        self.last_batch_at = time.monotonic()
        self._tables = own_tables(settings.storage)
        index = AnswerIndex(self._index_path(), self._tables.uri("responses"))
        self._freshness = freshness(settings.cache, _now_ms)
        self._answers = AnswerStore(
            self._tables, self._root / "spool", index, self._freshness, job=settings.job
        )
        self.pending = PendingRecords(self._tables, sink_limits(settings).requeue)
        self._recent = RecentSamples(settings.limits.deduplication_horizon)
        self._clusters = RecentSamples(settings.limits.deduplication_horizon)
        self._evaluation = evaluation_plan(settings)
        self._monitor = monitor_plan(settings)
        self._board = Board(
            Promises(
                settings.monitor.alpha,
                settings.monitor.false_alarms.once_per / 1_000,
                frozenset(label for label, own in self._monitor.own.items() if own.alarm),
            ),
            settings.monitor.forget_quiet_series_after,
        )
        self._security = resolve_security(settings.kafka.security)
        self._java_security = java_security(self._security)
        self._quota_address: QuotaAddress | None = None
        self._check_series()

    @contextmanager
    def serving_quota(self) -> Iterator[None]:
        """Grants permits to the workers while the block lasts, where an endpoint has a quota."""
        metrics = self.exporter.metrics.endpoints
        with quota_service(self._settings, metrics) as self._quota_address:
            yield

    def checkpoint(self, query: str) -> Path:
        """Where the named query keeps its progress and state."""
        return self._root / "checkpoints" / query

    def recover(self) -> None:
        """Takes up what an earlier run left: paid answers, recent samples, the board."""
        agree(self.checkpoint(monitor_query.QUERY), self._meaning_of_state())
        self._check_topics()
        self._answers.sweep()
        self.pending.load()
        record_versions(self._tables, self._evaluation.scorers)
        record_versions(self._tables, self._evaluation.anchored)
        now_ms = _now_ms()
        since = instant(now_ms - self._settings.limits.deduplication_horizon)
        recent = self._tables.read(
            "scores", ["sample_id", "cluster", "scored_at"], [("scored_at", ">=", since)]
        )
        if recent.num_rows:
            self._recent.remember(hash_ids(recent["sample_id"].to_pylist()), now_ms)
            self._clusters.remember(cluster_ids(recent["cluster"]), now_ms)
            self.exporter.metrics.observe_scores(pc.max(recent["scored_at"]).as_py().timestamp())
        self._board.restore(self._tables, now_ms)
        self.exporter.publish(self._board.snapshot(now_ms))

    def start(self, spark: SparkSession) -> list[StreamingQuery]:
        """Starts the score query and the monitor query."""
        settings, trigger_ms = self._settings, self._settings.spark.trigger
        records = score_query.records(spark, settings.kafka, self._java_security)
        rows = monitor_query.rows_of(spark, self._tables, self._monitor, settings.spark.partitions)
        score_checkpoint = self.checkpoint(score_query.QUERY)
        monitor_checkpoint = self.checkpoint(monitor_query.QUERY)
        sink = self._score_sink(score_checkpoint)
        self.retries = RetryLoop(partial(sink.retry, spark))
        return [
            score_query.start(records, sink, score_checkpoint, trigger_ms),
            monitor_query.start(
                monitor_query.reports(rows, self._monitor),
                self._monitor_sink(monitor_checkpoint),
                monitor_checkpoint,
                trigger_ms,
            ),
        ]

    def lag_watch(self, score: StreamingQuery) -> LagWatch:
        """Measures how far the score query is behind the topic; not started yet."""
        kafka = self._settings.kafka

        def ends() -> dict[tuple[str, int], int]:
            offsets = end_offsets(
                kafka.bootstrap_servers, kafka.topic, self._security, timeout_s=_LAG_TIMEOUT_S
            )
            return {(kafka.topic, partition): n for partition, n in offsets.items()}

        return LagWatch(ends, lambda: score.lastProgress, self.exporter.metrics.observe_kafka_lag)

    def _score_sink(self, checkpoint: Path) -> ScoreSink:
        kafka = self._settings.kafka
        letters = DeadLetterProducer(
            kafka.bootstrap_servers, kafka.dead_letter_topic, self._security
        )
        outlets = ScoreOutlets(
            self._tables,
            self._answers,
            self.pending,
            partial(publish_dead_letters, letters),
            self._recent,
            self._firsts,
            self._observe_scored,
        )
        metrics = self.exporter.metrics.spending
        return score_sink(
            self._settings, self.score_plan(), outlets, checkpoint, self.gate, metrics
        )

    def _monitor_sink(self, checkpoint: Path) -> MonitorSink:
        monitor = self._settings.monitor
        intervals = IntervalPlan(
            monitor.alpha, monitor.expected_samples_per_window, duration_text(monitor.window)
        )
        # The two sinks run in threads of their own, and a table's handle belongs to one of them.
        outlets = MonitorOutlets(own_tables(self._settings.storage), self._observe_monitored)
        return MonitorSink(self._monitor, intervals, outlets, checkpoint, self.gate)

    def score_plan(self) -> ScorePlan:
        """Everything that the workers need."""
        runtime = runtime_plan(
            self._settings,
            responses_uri=self._tables.uri("responses"),
            index_path=self._index_path(),
            quota=self._quota_address,
            freshness=self._freshness,
        )
        return score_plan(self._settings, self._evaluation, runtime)

    def _firsts(self, scores: pa.Table) -> pa.Table:
        pane_ms = self._settings.monitor.pane
        return with_first_of_cluster(scores, self._clusters, pane_ms, _now_ms())

    def _observe_scored(self, batch: ScoredBatch) -> None:
        self.last_batch_at = time.monotonic()
        observe_scored(self.exporter.metrics, batch, self._settings.monitor.max_weight)

    def _observe_monitored(self, batch: MonitoredBatch) -> None:
        self.last_batch_at = time.monotonic()
        observe_monitored(self.exporter, self._board, batch)

    def _index_path(self) -> Path:
        return self._root / "index" / "responses.sqlite"

    def _meaning_of_state(self) -> dict[str, str]:
        monitor = self._settings.monitor
        return {
            "monitor.pane": duration_text(monitor.pane),
            "monitor.window": duration_text(monitor.window),
            "monitor.label_maturity": duration_text(monitor.label_maturity),
            "monitor.max_weight": f"{monitor.max_weight:g}",
            "layout of the state": LAYOUT,
        }

    def _check_topics(self) -> None:
        kafka = self._settings.kafka
        end_offsets(kafka.bootstrap_servers, kafka.topic, self._security)
        ensure_topic(kafka.bootstrap_servers, kafka.dead_letter_topic, 1, self._security)

    def _check_series(self) -> None:
        possible, allowed = series_limit(self._settings), self._settings.monitor.max_series
        if possible > allowed:
            raise SettingsError(
                f"monitor.max_series: this configuration can make {possible} series, {allowed} are "
                "allowed; list fewer segment values or comparisons, or raise monitor.max_series"
            )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
