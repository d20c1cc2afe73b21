"""Scores and dead letters as Arrow tables with the columns of their Delta tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from streaming_eval.adapters.schemas import DEAD_LETTERS, SCORES
from streaming_eval.inference.evaluate import SampleScore
from streaming_eval.records import DeadLetter, KafkaRecord, Sample

_US = 1_000
_MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One sample with where it came from and all its scores.

    Attributes:
        weights: of the scores, in their order: how many samples each of them stands for.
        cluster: what it shares with others; None where it counts alone.
    """

    record: KafkaRecord
    sample: Sample
    scores: Sequence[SampleScore]
    weights: Sequence[float]
    cluster: int | None = None


def scores_table(evaluated: Sequence[Evaluated], batch_id: int, now_ms: int) -> pa.Table:
    """One row per score, columns as in `SCORES`.

    Event times must already be clamped; `now_ms` becomes `scored_at`. Which scores are the first of
    their cluster is only known once earlier batches are. A score of an anchor shares neither the
    sample's segments nor its cluster: the sample has no part in it.
    """
    rows = [(e.record, e.sample, s) for e in evaluated for s in e.scores]
    weights = [weight for e in evaluated for weight in e.weights]
    clusters = [None if s.anchor_id else e.cluster for e in evaluated for s in e.scores]
    times = [sample.event_time_ms for _, sample, _ in rows]
    columns = {
        "sample_id": [sample.id for _, sample, _ in rows],
        "model": [s.model for *_, s in rows],
        "scorer": [s.scorer for *_, s in rows],
        "evaluation_version": [s.evaluation_version for *_, s in rows],
        "event_time": [ms * _US for ms in times],
        "event_date": [ms // _MS_PER_DAY for ms in times],
        "segments": [[] if s.anchor_id else list(x.segments.items()) for _, x, s in rows],
        "value": [s.score.value for *_, s in rows],
        "paired_values": [list(s.paired_values.items()) for *_, s in rows],
        "weight": weights,
        "status": [s.score.status.value for *_, s in rows],
        "error": [s.score.error for *_, s in rows],
        "explanation": [s.score.explanation for *_, s in rows],
        "cache_key": [s.cache_key for *_, s in rows],
        "judge_cache_key": [s.judge_cache_key for *_, s in rows],
        "anchor_id": [s.anchor_id for *_, s in rows],
        "conversation_id": [sample.conversation_id for _, sample, _ in rows],
        "trace_id": [sample.trace_id for _, sample, _ in rows],
        "cluster": clusters,
        "first_of_cluster": [None] * len(rows),
        "topic": [record.topic for record, _, _ in rows],
        "partition": [record.partition for record, _, _ in rows],
        "offset": [record.offset for record, _, _ in rows],
        "scored_at": [now_ms * _US] * len(rows),
        "batch_id": [batch_id] * len(rows),
    }
    return _table(columns, SCORES)


def dead_letters_table(letters: Sequence[DeadLetter], batch_id: int, now_ms: int) -> pa.Table:
    """One row per rejected record, columns as in `DEAD_LETTERS`, bytes unchanged."""
    columns = {
        "topic": [letter.record.topic for letter in letters],
        "partition": [letter.record.partition for letter in letters],
        "offset": [letter.record.offset for letter in letters],
        "kafka_time": [letter.record.timestamp_ms * _US for letter in letters],
        "key": [letter.record.key for letter in letters],
        "value": [letter.record.value for letter in letters],
        "reason": [str(letter.reason) for letter in letters],
        "message": [letter.message for letter in letters],
        "rejected_at": [now_ms * _US] * len(letters),
        "batch_id": [batch_id] * len(letters),
    }
    return _table(columns, DEAD_LETTERS)


def instant(ms: int) -> dt.datetime:
    """Epoch milliseconds as an aware UTC datetime, also before 1970 and far in the future."""
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)


def _table(columns: Mapping[str, object], schema: pa.Schema) -> pa.Table:
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)
