"""P1, P2, P22: what our stack and its spool cost beside a bare loop of requests, without Spark."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.bare_client import bare_rate
from benchmarks.bench_job import MODEL, bench_endpoint, new_prompts
from benchmarks.our_client import our_rate
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.settings import EndpointSettings

_IN_FLIGHT = 256
_LATENCY_MS = 50.0
# P1's goal is that of the default; the others show where the processors begin to set the pace.
_DEFAULT = EndpointSettings.model_fields["max_in_flight"].default
_LADDER = (_DEFAULT, 128, _IN_FLIGHT)
_SPOOL_PAIRS = 15  # a difference of a few hundredths, on machines that vary by tenths


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Two processes each, the same endpoint, prompts that never occurred before.

    P1 asks how well a latency is hidden, so it is taken at several loads: from some load on, which
    depends on the machine, either side has no processor time left, and P2 is what shows.
    """
    pairs = 2 if quick else 7
    with _endpoint(directory, _LATENCY_MS) as endpoint:
        for in_flight in _LADDER:
            load = _Load(endpoint, directory, in_flight, in_flight * (8 if quick else 48))
            rates = interleaved(load.ours, load.bare, pairs, report.progress)
            what = f"worker without Spark / bare aiohttp, {_LATENCY_MS:g} ms, {in_flight} in flight"
            _add(report, "P1", what, 0.90 if in_flight == _DEFAULT else None, rates)
        load = _Load(endpoint, directory, 128, 128 * (8 if quick else 48))
        what = f"worker with spool / without, {_LATENCY_MS:g} ms, 128 in flight"
        _add(report, "P22", what, 0.95, load.with_spool(pairs, report))
    with _endpoint(directory, 0.0) as endpoint:
        load = _Load(endpoint, directory, _IN_FLIGHT, 2_000 if quick else 12_000)
        rates = interleaved(load.ours, load.bare, pairs, report.progress)
        what = f"worker without Spark / bare aiohttp, 0 ms, {_IN_FLIGHT} in flight"
        _add(report, "P2", what, 0.40, rates)
        load = _Load(endpoint, directory, _IN_FLIGHT, 2_000 if quick else 24_000)
        what = f"worker with spool / without, 0 ms, {_IN_FLIGHT} in flight"
        _add(report, "P22", what, None, load.with_spool(2 if quick else _SPOOL_PAIRS, report))


@dataclass(frozen=True, slots=True)
class _Load:
    """What either side is given: so many requests, so many of them at once."""

    endpoint: RecordedEndpoint
    directory: Path
    in_flight: int
    requests: int

    def ours(self, *, spool: bool = True) -> float:
        root, prompts = self.directory / uuid.uuid4().hex, new_prompts(self.requests)
        return our_rate(self.endpoint.base_url, MODEL, root, prompts, self.in_flight, spool=spool)

    def bare(self) -> float:
        return bare_rate(self.endpoint.base_url, MODEL, new_prompts(self.requests), self.in_flight)

    def with_spool(self, pairs: int, report: Report) -> tuple[list[float], list[float]]:
        """Ours as it is, and without writing ahead.

        At a latency, as every endpoint has one, that has a goal; at none the processors set the
        pace, and it shows what of their time the spool takes.
        """
        return interleaved(self.ours, partial(self.ours, spool=False), pairs, report.progress)


def _endpoint(directory: Path, latency_ms: float) -> RecordedEndpoint:
    return bench_endpoint(directory, Behaviour(latency_ms=latency_ms))


def _add(
    report: Report,
    goal: str,
    what: str,
    least: float | None,
    rates: tuple[list[float], list[float]],
) -> None:
    mine, theirs = rates
    report.add_ratio(
        goal,
        what,
        ratio(mine, theirs),
        f"{np.median(mine):,.0f}/s against {np.median(theirs):,.0f}/s",
        least=least,
    )
