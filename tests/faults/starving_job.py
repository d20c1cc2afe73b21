"""The job with Python workers that run out of memory.

    python -m tests.faults.starving_job run ...

takes the options of `streaming-eval`. In every second batch the first attempt at the first task
meets a limit of its address space while its calls are under way, and all that is left below the
limit is taken from it. In the others the attempt asks, at its end, for more than such a limit lets
it have. Each such attempt leaves a file named `BATCH` in `starved` under the storage
root, with its beginning in epoch nanoseconds.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark import TaskContext

from streaming_eval.cli import app
from streaming_eval.pipeline import workers
from streaming_eval.pipeline.worker import BatchContext, Mapper, ScorePlan, evaluate_partition

_ROOM_BYTES = 16 << 20
_AFTER_S = 0.5  # calls are under way
_PIECES_BYTES = (1 << 20, 1 << 16, 1 << 12)


def starved_at(root: Path) -> Path:
    """Where the attempts leave their files."""
    return root / "starved"


def starving(plan: ScorePlan, context: BatchContext) -> Mapper:
    """What `evaluate_partition` gives, with too little memory for it."""
    whole = evaluate_partition(plan, context)

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        if task is None:
            raise RuntimeError("this is no Spark task")
        mark = starved_at(context.spool.parent.parent) / str(context.batch_id)
        if task.partitionId() or mark.exists():
            yield from whole(batches)
            return
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(str(time.time_ns()))
        if context.batch_id % 2:
            threading.Thread(target=_take_all, daemon=True).start()
        blobs = list(whole(batches))
        _limit()
        bytearray(2 * _ROOM_BYTES)
        yield from blobs

    return run


def _take_all() -> None:
    time.sleep(_AFTER_S)
    _limit()
    taken = []
    for size in _PIECES_BYTES:
        try:
            while True:
                taken.append(bytearray(size))
        except MemoryError:
            continue
    while taken:
        time.sleep(1.0)


def _limit() -> None:
    """Lets the process grow by `_ROOM_BYTES` and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    """Runs the job with too little memory."""
    vars(workers)["evaluate_partition"] = starving
    app()


if __name__ == "__main__":
    main()
