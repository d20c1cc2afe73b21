"""Counts and decisions on their way to the bucket of their series."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

from streaming_eval.alerting import Baseline, Decision
from streaming_eval.pipeline.arrivals import (
    BUCKET,
    NEWEST,
    Arrival,
    bucket_rows,
    count_rows,
)
from streaming_eval.pipeline.preaggregate import PANE_COUNTS
from tests.pipeline.arriving import arrivals_in

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def counts(*rows: tuple[str, int, list[int], list[int]]) -> pa.RecordBatch:
    names = PANE_COUNTS.names
    return pa.RecordBatch.from_pylist(
        [dict(zip(names, (*row, NOON), strict=True)) for row in rows], schema=PANE_COUNTS
    )


def test_counts_arrive_as_they_were_in_one_row_for_each_bucket() -> None:
    many = [(f"series-{at % 400}|é\\p", at, [-1, at % 2], [at, 1]) for at in range(1_000)]
    batches = list(count_rows([counts(*many[:700]), counts(*many[700:])]))
    found = arrivals_in(batches)
    expected = [Arrival(key, ms, tuple(cells), tuple(n)) for key, ms, cells, n in many]
    assert sorted(found, key=lambda a: a.pane_ms) == expected
    for batch in batches:
        assert len(set(batch[BUCKET].to_pylist())) == batch.num_rows
        assert set(batch[NEWEST].to_pylist()) == {NOON}


def test_a_decision_travels_with_all_that_it_says() -> None:
    promoted = Baseline((1, 9), 0, 60_000, id="b1")
    arrivals = [Arrival("a", decision=Decision(1, 2, "mira", 'a "word"\n\t', promoted))]
    assert arrivals_in(bucket_rows(arrivals, NOON)) == arrivals


def test_nothing_makes_no_rows() -> None:
    assert list(count_rows([])) == []
    assert list(bucket_rows([], NOON)) == []
