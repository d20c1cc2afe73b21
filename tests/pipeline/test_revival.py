"""A query is started anew where its Python process was too slow, and only there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from pyspark.sql.streaming.query import StreamingQuery

from streaming_eval.pipeline.revival import Revival

SLOW = "Job aborted: Python worker failed to connect back.\nmore"


def ended(reason: str | None, name: str = "monitor") -> StreamingQuery:
    error = None if reason is None else Exception(reason)
    return cast(StreamingQuery, SimpleNamespace(name=name, exception=lambda: error))


def test_a_query_whose_process_was_too_slow_is_started_anew_four_times() -> None:
    started: list[StreamingQuery] = []

    def start() -> StreamingQuery:
        started.append(ended(SLOW))
        return started[-1]

    revival = Revival("monitor", start)
    query: StreamingQuery | None = start()
    while query is not None:
        assert query is started[-1]
        query = revival.again(query)
    assert len(started) == 1 + 4


@pytest.mark.parametrize("reason", [None, "streaming_eval.errors.StorageError: it is gone"])
def test_a_query_that_ended_otherwise_stays_ended(reason: str | None) -> None:
    revival = Revival("monitor", lambda: pytest.fail("it must not be started"))
    assert revival.again(ended(reason)) is None
    assert revival.again(ended(SLOW, "score")) is None
