"""The whole way to a real endpoint that fails every request, and then recovers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.adapters.endpoint_line import EndpointLine
from streaming_eval.adapters.prometheus import PipelineMetrics
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.call_log import read_calls
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.pipeline.call_metrics import observe_calls
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.records import Response
from streaming_eval.settings import EndpointSettings
from tests.inference.requests import request

pytestmark = pytest.mark.slow
TASKS = 2
CALLS = 400
OPEN_WITHIN_S = 5.0
DOWN_S = 15.0
LONGEST_PAUSE_S = 4.0


@contextmanager
def lines(base_url: str) -> Iterator[tuple[asyncio.AbstractEventLoop, list[EndpointLine]]]:
    """What each of the tasks of a job keeps, on one loop; only the longest pause is not default."""
    settings = EndpointSettings.model_validate(
        {"base_url": base_url, "circuit_breaker": {"longest_pause": f"{LONGEST_PAUSE_S:.0f}s"}}
    )
    plan = endpoint_plan("models", settings, TASKS)
    loop = asyncio.new_event_loop()
    made = [EndpointLine(plan, None) for _ in range(TASKS)]
    try:
        yield loop, made
    finally:
        for line in made:
            loop.run_until_complete(line.close())
        loop.close()


async def through_an_outage(
    made: Sequence[EndpointLine], tallies: Sequence[CallTally], endpoint: RecordedEndpoint
) -> tuple[list[Response], float]:
    """All responses, and seconds from the recovery to the last of them."""
    completes = [line.calls(tally) for line, tally in zip(made, tallies, strict=True)]
    asked = (replace(request(f"Question {n}?"), endpoint=endpoint.base_url) for n in range(CALLS))
    asking = asyncio.gather(*(completes[n % TASKS](one) for n, one in enumerate(asked)))
    await asyncio.sleep(DOWN_S)
    await asyncio.to_thread(endpoint.control, error_rate=0.0)
    well_at = time.monotonic()
    return await asking, time.monotonic() - well_at


def test_an_endpoint_that_fails_is_left_alone_and_used_again_when_it_is_well(
    tmp_path: Path,
) -> None:
    log, metrics = tmp_path / "calls", PipelineMetrics()
    tallies = [CallTally() for _ in range(TASKS)]
    failing = Behaviour(latency_ms=50, error_rate=1.0)
    with (
        RecordedEndpoint(failing, synthetic=True, call_log=log) as endpoint,
        lines(endpoint.base_url) as (loop, made),
    ):
        work = through_an_outage(made, tallies, endpoint)
        responses, recovery_s = loop.run_until_complete(work)
        for line, tally in zip(made, tallies, strict=True):
            line.count(tally)
    for tally in tallies:
        observe_calls(metrics, tally.table())

    assert [response.error for response in responses] == [None] * CALLS, "nobody had to fail"
    assert recovery_s < 1.5 * LONGEST_PAUSE_S + 5
    calls = read_calls(log)
    failed_at = [(c.time_ns - calls[0].time_ns) / 1e9 for c in calls if c.fault]
    assert len(failed_at) < 200, "those that were under way, and few others"
    assert sum(at >= OPEN_WITHIN_S for at in failed_at) <= DOWN_S - OPEN_WITHIN_S
    assert len(calls) == len(failed_at) + CALLS
    assert sum(response.attempts for response in responses) == len(calls)
    assert counted(metrics, "requests_total") == len(calls), "no request is missing or invented"
    assert counted(metrics, "requests_total", outcome="ok") == CALLS
    assert counted(metrics, "circuit_openings_total") == TASKS
    assert counted(metrics, "circuit_state", state="closed") == 1


def counted(metrics: PipelineMetrics, name: str, **labels: str) -> float:
    return sum(
        number
        for metric, have, number in metrics.values()
        if metric == f"streaming_eval_{name}" and labels.items() <= have.items()
    )
