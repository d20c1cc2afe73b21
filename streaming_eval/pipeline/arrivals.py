"""What one batch brings to a bucket of series, as one text: a row of Spark's for many series.

A row for each series and pane would cost more on its way into Python, column by column, than the
arithmetic that it is for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from streaming_eval.alerting import Decision
from streaming_eval.pipeline.codec import Codec
from streaming_eval.pipeline.series_bucket import bucket_of


@dataclass(frozen=True, slots=True)
class Arrival:
    """Scores of one pane of a series, or a decision about it.

    Attributes:
        pane_ms: start of the pane.
        cells: those of the series' grid that hold scores; -1 stands for missing ones.
        counts: how many, in each of `cells`.
    """

    series_key: str
    pane_ms: int = 0
    cells: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class BucketArrivals:
    """Those of one bucket, from one reader."""

    arrivals: tuple[Arrival, ...]


ARRIVALS: Codec[BucketArrivals] = Codec(BucketArrivals, "arrivals", read_back=False)
BUCKET, NEWEST = "bucket", "newest"
STREAM_ROWS = pa.schema(
    [
        (BUCKET, pa.int32()),
        (ARRIVALS.column, pa.string()),
        (NEWEST, pa.timestamp("us", tz="UTC")),
    ]
)
STREAM_DDL = f"{BUCKET} int, {ARRIVALS.column} string, {NEWEST} timestamp"
NO_NEWS_OF_TIME = datetime.fromtimestamp(0, UTC)


def count_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One row per bucket of each of the batches, which are those of `pane_counts`."""
    for batch in batches:
        names = ("series_key", "pane_ms", "levels", "counts")
        columns = zip(*(batch[name].to_pylist() for name in names), strict=True)
        arrivals = (Arrival(k, ms, tuple(cells), tuple(n)) for k, ms, cells, n in columns)
        yield from bucket_rows(arrivals, batch["newest"][0].as_py())


def bucket_rows(arrivals: Iterable[Arrival], newest: datetime) -> Iterator[pa.RecordBatch]:
    """The stream's rows, one per bucket; none for no arrivals.

    Args:
        arrivals: of any series.
        newest: event time that the engine's watermark follows.
    """
    by_bucket: dict[int, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_bucket[bucket_of(arrival.series_key)].append(arrival)
    if by_bucket:
        texts = [ARRIVALS.pack(BucketArrivals(tuple(some)))[0] for some in by_bucket.values()]
        columns = [list(by_bucket), texts, [newest] * len(texts)]
        yield pa.RecordBatch.from_arrays(
            [pa.array(c, field.type) for c, field in zip(columns, STREAM_ROWS, strict=True)],
            schema=STREAM_ROWS,
        )
