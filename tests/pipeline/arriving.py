"""What the rows of the monitor's stream hold."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from streaming_eval.pipeline.arrivals import ARRIVALS, BUCKET, STREAM_ROWS, Arrival
from streaming_eval.pipeline.series_bucket import bucket_of


def arrivals_in(batches: Iterable[pa.RecordBatch]) -> list[Arrival]:
    """All of them, each in the row of its series' bucket."""
    found: list[Arrival] = []
    for batch in batches:
        assert batch.schema == STREAM_ROWS
        for row in batch.to_pylist():
            arrivals = ARRIVALS.unpack((row[ARRIVALS.column],)).arrivals
            assert {bucket_of(arrival.series_key) for arrival in arrivals} == {row[BUCKET]}
            found += arrivals
    return found
