"""The job with tasks that fail after their work, and others that are run twice at once.

    python -m tests.faults.repeating_job run ...

takes the options of `streaming-eval`. Every third batch has a first attempt that fails, every third
one that lingers until a speculative copy of it has come to its end, and every third one that asks
so slowly that a copy of it begins in the midst of its calls. Each attempt leaves a file named
`BATCH-PARTITION-ATTEMPT` under the storage root: in `begun`, and in `attempts` when it has all its
answers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
from pyspark import TaskContext

from streaming_eval.cli import app
from streaming_eval.inference.calls.adaptive_limit import InFlightLimits
from streaming_eval.pipeline import session, workers
from streaming_eval.pipeline.worker import BatchContext, Mapper, ScorePlan, evaluate_partition

ASKS_SLOWLY, FAILS, LINGERS = 0, 1, 2  # batch number modulo 3
_LINGERS_S = 60.0
_ONE_BY_ONE = InFlightLimits(least=1, most=1, share=1, tolerance=inf)
# A task of the monitor is over sooner. One that is killed while it has state takes its executor
# with it (Spark 4.2: an uncaught exception of `stateConnectionListenerThread`).
_SPECULATION = {
    "spark.speculation": "true",
    "spark.speculation.minTaskRuntime": "10s",
    "spark.speculation.interval": "100ms",
    "spark.speculation.quantile": "0.1",
    "spark.speculation.multiplier": "1.1",
    "spark.speculation.efficiency.enabled": "false",
}


def attempts_at(root: Path) -> Path:
    """Where the attempts leave their files."""
    return root / "attempts"


def begun_at(root: Path) -> Path:
    """Where those leave theirs that have not come to their end."""
    return root / "begun"


def troubled(plan: ScorePlan, context: BatchContext) -> Mapper:
    """What `evaluate_partition` gives, with trouble while it asks or after the last answer."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        if task is None:
            raise RuntimeError("this is no Spark task")
        place = f"{context.batch_id}-{task.partitionId()}"
        first = task.partitionId() == task.attemptNumber() == 0
        kind = context.batch_id % 3 if first else None
        root = context.spool.parent.parent
        _leave(begun_at(root) / f"{place}-{task.attemptNumber()}")
        asked = _slow(plan) if kind == ASKS_SLOWLY else plan
        blobs = list(evaluate_partition(asked, context)(batches))
        _leave(attempts_at(root) / f"{place}-{task.attemptNumber()}")
        if kind == FAILS and blobs:
            raise RuntimeError("this attempt fails on purpose")
        if kind == LINGERS and blobs:
            _linger(attempts_at(root) / f"{place}-1")
        yield from blobs

    return run


def _leave(file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.touch()


def _linger(until: Path) -> None:
    ends_at = time.monotonic() + _LINGERS_S
    while time.monotonic() < ends_at and not until.exists():
        time.sleep(0.05)


def _slow(plan: ScorePlan) -> ScorePlan:
    """One call at a time."""
    endpoints = tuple(
        replace(endpoint, limits=replace(endpoint.limits, in_flight=_ONE_BY_ONE))
        for endpoint in plan.runtime.endpoints
    )
    return replace(plan, runtime=replace(plan.runtime, endpoints=endpoints))


def main() -> None:
    """Runs the job with trouble and speculation."""
    session.GUARANTEES = MappingProxyType({**session.GUARANTEES, **_SPECULATION})
    vars(workers)["evaluate_partition"] = troubled
    app()


if __name__ == "__main__":
    main()
