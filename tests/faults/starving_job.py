"""The job with Python workers that run out of memory.

    python -m tests.faults.starving_job run ...

takes the options of `streaming-eval`. In every second batch the first attempt at the first task
meets a limit of its data while its calls are under way, and all that it could still get
is taken from it, again and again. In the others that attempt asks, at its end, for more than such a
limit lets it have. Each leaves a file named `BATCH` in `starved` under the storage root, with its
beginning in epoch nanoseconds.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
from pyspark import TaskContext

from streaming_eval.cli import app
from streaming_eval.pipeline import workers
from streaming_eval.pipeline.worker import BatchContext, Mapper, ScorePlan, evaluate_partition

_ROOM_BYTES = 4 << 20
_TOO_MUCH_BYTES = 1 << 30
_AFTER_S = 0.5  # calls are under way
_PIECES_BYTES = (1 << 20, 1 << 16, 1 << 12, 1 << 8, 1 << 5)
_TAKEN_EVERY_S = 0.01


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
            yield from whole(batches)
            return
        blobs = list(whole(batches))
        _limit()
        bytearray(_TOO_MUCH_BYTES)
        yield from blobs

    return run


def _take_all() -> None:
    time.sleep(_AFTER_S)
    _limit()
    taken = []
    while True:  # also what is freed meanwhile
        for size in _PIECES_BYTES:
            with suppress(MemoryError):
                while True:
                    taken.append(bytearray(size))
        time.sleep(_TAKEN_EVERY_S)


def _limit() -> None:
    """Lets the process have `_ROOM_BYTES` more for its data, and no more than that."""
    lines = Path("/proc/self/status").read_text().splitlines()
    now = next(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
    most = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (now * 1_024 + _ROOM_BYTES, most))


def main() -> None:
    """Runs the job with too little memory."""
    vars(workers)["evaluate_partition"] = starving
    app()


if __name__ == "__main__":
    main()
