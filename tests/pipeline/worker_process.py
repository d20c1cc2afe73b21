"""A worker process's functions in this process, on a storage root of their own."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.schemas import DEAD_LETTERS, SCORES
from streaming_eval.adapters.tables import Tables
from streaming_eval.adapters.worker_runtime import RuntimePlan
from streaming_eval.formats.limits import Limits
from streaming_eval.inference.cache.with_cache import CachePolicy
from streaming_eval.inference.calls.batch_deadline import BatchLimits
from streaming_eval.inference.evaluate import BoundScorer, EvaluationPlan, ModelCall
from streaming_eval.inference.spending.books import BatchSpending
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.pipeline.unfinished import OWN_RATE
from streaming_eval.pipeline.worker import BatchContext, ScorePlan, evaluate_partition
from streaming_eval.pipeline.worker_life import LifeLimits
from streaming_eval.scoring import define
from streaming_eval.settings import EndpointSettings

SKEW_MS = 60_000
RECORDS = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp_ms", pa.int64()),
        ("key", pa.binary()),
        ("value", pa.binary()),
    ]
)
Values = list[bytes | None]
PATIENT = BatchLimits(60.0, 5.0, 0.0, 0.1, None)


def sample(sample_id: str, prompt: str = "Why?", **fields: object) -> bytes:
    given = {"id": sample_id, "time": "2025-06-01T12:00:00Z", "model": "assistant"}
    answered = {"prompt": prompt, "response": "Because.", "target": "because"}
    return json.dumps(given | answered | fields).encode()


class Worker:
    """One plan, asked of one endpoint: a candidate, and `contains` as the scorer."""

    def __init__(self, root: Path, base_url: str, batches: BatchLimits = PATIENT) -> None:
        self.tables = Tables(root)
        index_path = root / "index" / "answers"
        index = AnswerIndex(index_path, self.tables.uri("responses"))
        self.answers = AnswerStore(self.tables, root / "spool", index)
        settings = EndpointSettings(base_url=base_url, max_in_flight=8, max_attempts=1)
        endpoint = endpoint_plan("models", settings, partitions=1)
        self.plan = ScorePlan(
            EvaluationPlan(
                (ModelCall("small", "models", base_url, "openai_chat", "org/small"),),
                (BoundScorer(define("contains", "contains"), "v1"),),
                {"small": ("production",)},
            ),
            RuntimePlan(
                (endpoint,),
                CachePolicy.READ_WRITE,
                self.tables.uri("responses"),
                str(index_path),
            ),
            Limits(10_000, 8, 100, 8),
            SKEW_MS,
            batches,
            LifeLimits(silence_s=60.0, work_s=600.0),
        )

    def run(
        self,
        values: Values,
        batch_id: int = 0,
        spending: BatchSpending | None = None,
        rates: Sequence[float] | None = None,
    ) -> dict[str, list[dict[str, Any]]]:
        """What the driver would receive, by kind.

        Args:
            values: of the records.
            batch_id: of this batch.
            spending: what may be spent on it.
            rates: the records' own sampling rates, where they have waited.
        """
        version = self.tables.version("responses")
        context = BatchContext(batch_id, version, self.answers.opened(batch_id), spending)
        mapper = pickle.loads(pickle.dumps((self.plan, context)))
        half = len(values) // 2
        batches = [_records(values[:half], 0, rates), _records(values[half:], half, rates)]
        kinds = ("scores", "dead_letters", "unfinished", "calls")
        rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
        for blob in evaluate_partition(*mapper)(batches):
            for kind, payload in zip(*blob.to_pydict().values(), strict=True):
                table = pa.ipc.open_stream(payload).read_all()
                schemas = {"scores": SCORES, "dead_letters": DEAD_LETTERS}
                assert table.schema == schemas.get(kind, table.schema)
                rows[kind] += table.to_pylist()
        return rows


def _records(values: Values, first: int, rates: Sequence[float] | None) -> pa.RecordBatch:
    rows = [
        {"topic": "t", "partition": 3, "offset": n, "timestamp_ms": 7, "key": b"k", "value": value}
        for n, value in enumerate(values, first)
    ]
    records = pa.RecordBatch.from_pylist(rows, schema=RECORDS)
    if rates is None:
        return records
    own = pa.array(rates[first : first + len(values)], pa.float64())
    return records.append_column(OWN_RATE, own)
