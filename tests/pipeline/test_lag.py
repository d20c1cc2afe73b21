from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.pipeline import lag
from streaming_eval.pipeline.lag import LagWatch

LONG_S = 10.0
PROGRESS = {"sources": [{"endOffset": json.dumps({"t": {"0": 7}})}]}


class Broker:
    """A topic's end, and whether it can be asked for."""

    def __init__(self) -> None:
        self.end, self.asked, self.reachable = 10, 0, True

    def ends(self) -> dict[tuple[str, int], int]:
        self.asked += 1
        if not self.reachable:
            raise EnvironmentProblem("no broker")
        return {("t", 0): self.end}


class Query:
    progress: Mapping[str, Any] | None = PROGRESS


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "_EVERY_S", 0.002)


@contextmanager
def watching(broker: Broker, query: Query) -> Iterator[list[int]]:
    """The lags reported while the block lasts."""
    reported: list[int] = []
    watch = LagWatch(broker.ends, lambda: query.progress, lambda now: reported.extend(now.values()))
    watch.start()
    try:
        yield reported
    finally:
        watch.stop()


def until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < ends_at, "it never came"
        time.sleep(0.001)


def test_the_lag_follows_the_broker_and_the_query() -> None:
    broker, query = Broker(), Query()
    with watching(broker, query) as reported:
        until(lambda: 3 in reported)
        broker.end = 107
        until(lambda: reported[-1] == 100)
        query.progress = {"sources": [{"endOffset": json.dumps({"t": {"0": 107}})}]}
        until(lambda: reported[-1] == 0)


def test_nothing_is_said_before_the_query_has_made_progress() -> None:
    broker, query = Broker(), Query()
    query.progress = None
    with watching(broker, query) as reported:
        time.sleep(0.03)
        assert (reported, broker.asked) == ([], 0)
        query.progress = PROGRESS
        until(lambda: bool(reported))


def test_an_outage_is_said_once_and_the_lag_comes_back_after_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = Broker()
    with caplog.at_level(logging.WARNING), watching(broker, Query()) as reported:
        for outages in (1, 2):
            broker.reachable = False
            asked = broker.asked
            until(lambda asked=asked: broker.asked > asked + 3)  # type: ignore[misc]
            assert [r.message for r in caplog.records] == [
                "the lag is unknown: no broker"
            ] * outages
            broker.reachable = True
            so_far = len(reported)
            until(lambda so_far=so_far: len(reported) > so_far)  # type: ignore[misc]


def test_nothing_is_measured_after_the_stop() -> None:
    broker = Broker()
    before = threading.active_count()
    with watching(broker, Query()) as reported:
        until(lambda: bool(reported))
    assert threading.active_count() == before
    asked = broker.asked
    time.sleep(0.02)
    assert broker.asked == asked
