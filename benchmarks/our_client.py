"""Our worker without Spark: Kafka records in, blobs of scores out, in two processes.

All that a task does: parsing, cache look-up, single flight, limit, retry, HTTP, validation,
answers written ahead to the spool, one lexical scorer, rows.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from benchmarks.client_processes import rate, read_share, serve
from streaming_eval.adapters import task_spool
from streaming_eval.adapters.attempt_turn import open_batch
from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.pipeline.wiring import Job
from streaming_eval.pipeline.worker import BatchContext, evaluate_partition
from streaming_eval.settings import Settings


def our_rate(
    base_url: str,
    model: str,
    root: Path,
    prompts: Sequence[str],
    in_flight: int,
    *,
    spool: bool = True,
) -> float:
    """Samples per second of two processes of ours; see `client_processes.rate`.

    Without `spool` answers are not written ahead, as they always are in the job.
    """
    Tables(root)
    arguments = [base_url, model, str(root), "spool" if spool else "no-spool"]
    return rate("benchmarks.our_client", arguments, prompts, in_flight)


class _Nowhere(SpoolWriter):
    """Keeps nothing."""

    def append(self, answer: PaidAnswer) -> None:
        pass


class _Task:
    """What Spark would run in one Python worker."""

    def __init__(self, base_url: str, model: str, root: Path, in_flight: int) -> None:
        settings = Settings.model_validate(
            {
                "version": 1,
                "storage": {"root": str(root)},
                "production_models": ["production"],
                "endpoints": {"e": {"base_url": base_url, "max_in_flight": in_flight}},
                "candidates": [{"name": "candidate", "endpoint": "e", "model": model}],
                "scorers": [{"kind": "contains"}],
                "spark": {"partitions": 1},
            }
        )
        self._plan = Job(settings).score_plan()
        self._version = Tables(root).version("responses")
        self._spool = root / "spool"

    def run(self, records: pa.RecordBatch) -> None:
        spool = self._spool / f"{os.getpid()}-{uuid.uuid4()}"
        open_batch(spool)
        context = BatchContext(0, self._version, spool)
        for _ in evaluate_partition(self._plan, context)([records]):
            pass


def _batch(prompts: Sequence[str]) -> pa.RecordBatch:
    n = len(prompts)
    columns = {
        "topic": ["samples"] * n,
        "partition": [0] * n,
        "offset": list(range(n)),
        "timestamp_ms": [0] * n,
        "key": [None] * n,
        "value": [_record(prompt) for prompt in prompts],
    }
    return pa.RecordBatch.from_pydict(columns)


def _record(prompt: str) -> bytes:
    sample = {
        "id": str(uuid.uuid4()),
        "time": datetime.now(UTC).isoformat(),
        "model": "production",
        "prompt": prompt,
        "response": "a recorded response",
        "target": "recorded",
    }
    return json.dumps(sample).encode()


def main() -> None:
    """One of the processes."""
    base_url, model, root, spool = sys.argv[1:]
    if spool == "no-spool":
        setattr(task_spool, "SpoolWriter", _Nowhere)  # noqa: B010 - it is not exported
    share = read_share()
    task = _Task(base_url, model, Path(root), share.in_flight)
    serve(share, _batch, task.run)


if __name__ == "__main__":
    main()
