"""The job with tasks that fail after their work, and others that are run twice at once.

    python -m tests.faults.repeating_job run ...

takes the options of `streaming-eval`. Every third batch has a first attempt that fails, every third
one that lingers until a speculative copy of it has come to its end. Each attempt that has all its
answers leaves a file named `BATCH-PARTITION-ATTEMPT` in `attempts` under the storage root.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
from pyspark import TaskContext

from streaming_eval.cli import app
from streaming_eval.pipeline import session, workers
from streaming_eval.pipeline.worker import BatchContext, Mapper, ScorePlan, evaluate_partition

FAILS, LINGERS = 1, 2  # batch number modulo 3
_LINGERS_S = 60.0
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


def troubled(plan: ScorePlan, context: BatchContext) -> Mapper:
    """What `evaluate_partition` gives, with trouble after the last answer has arrived."""
    whole = evaluate_partition(plan, context)

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        blobs = list(whole(batches))
        task = TaskContext.get()
        if task is None:
            raise RuntimeError("this is no Spark task")
        directory = attempts_at(context.spool.parent.parent)
        directory.mkdir(exist_ok=True)
        place = f"{context.batch_id}-{task.partitionId()}"
        (directory / f"{place}-{task.attemptNumber()}").touch()
        if task.partitionId() == 0 and task.attemptNumber() == 0 and blobs:
            if context.batch_id % 3 == FAILS:
                raise RuntimeError("this attempt fails on purpose")
            ends_at = time.monotonic() + _LINGERS_S * (context.batch_id % 3 == LINGERS)
            while time.monotonic() < ends_at and not (directory / f"{place}-1").exists():
                time.sleep(0.05)
        yield from blobs

    return run


def main() -> None:
    """Runs the job with trouble and speculation."""
    session.GUARANTEES = MappingProxyType({**session.GUARANTEES, **_SPECULATION})
    vars(workers)["evaluate_partition"] = troubled
    app()


if __name__ == "__main__":
    main()
