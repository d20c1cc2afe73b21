"""Python workers and executors of a real standalone cluster that die or stand still."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.spark_cluster import SparkCluster
from tests.faults.checks import Checks
from tests.faults.compare import check_paid_once, check_scored_once
from tests.faults.job import JobProcess
from tests.faults.killing import IDLE
from tests.faults.options import Options
from tests.faults.processes import descendants, python_workers
from tests.faults.progress import progress
from tests.faults.site import Place, Site
from tests.faults.topic import replayed, sample_ids
from tests.faults.waiting import wait_until

_IN_FLIGHT = 32
_LATENCY_MS = 100.0
_ROUNDS = 3
_LIMIT_S = 300.0
_PAUSE_S = 3.0  # for the work to go on between two of them
_TIMEOUT_S = 2.0
_HANGS_S = 4.0  # beyond the time limit of a request, and the answers wait in the socket

Victims = Callable[[SparkCluster], list[int]]
Harm = Callable[[int], None]


def workers(site: Site, options: Options, checks: Checks) -> None:
    """Nothing is lost, and only calls in flight are paid twice, wherever tasks are tried again."""
    _run(site, options, checks, _Scenario("workers", _DEATHS, {}))


def hanging_workers(site: Site, options: Options, checks: Checks) -> None:
    """The same where workers stand still for a while and then go on."""
    shorter = {"endpoints.recorded.request_timeout": f"{_TIMEOUT_S:g}s"}
    _run(site, options, checks, _Scenario("hanging-workers", _PAUSES, shorter))


@dataclass(frozen=True, slots=True)
class _Scenario:
    """Who is harmed and how, by name, and settings above the usual."""

    name: str
    aims: Mapping[str, tuple[Victims, Harm]]
    settings: Mapping[str, object]


def _run(site: Site, options: Options, checks: Checks, scenario: _Scenario) -> None:
    name, aims = scenario.name, scenario.aims
    topic = site.topic(f"faults.{name}")
    samples = options.scaled(6_000)
    records = replayed(samples, name, seed=options.seed, step_ms=10, swap=False)
    site.produce(topic, records)
    with (
        SparkCluster(site.made(name) / "spark") as cluster,
        site.endpoint(name, latency_ms=_LATENCY_MS) as endpoint,
    ):
        settings = {
            "spark.master": cluster.master,
            "spark.partitions": 4,
            "kafka.max_records_per_trigger": max(1, samples // 10),
            "endpoints.recorded.max_in_flight": _IN_FLIGHT,
            **scenario.settings,
        }
        place = site.place(name, topic, endpoint, settings)
        with place.job(IDLE) as job:
            harms_ns = _harm_all(aims, cluster, place, endpoint, job, options)
            checks.equal("exit code", job.wait(_LIMIT_S), 0)
    checks.figure(f"{len(harms_ns)} times, {', '.join(aims)} in turn")
    check_scored_once(checks, place, sample_ids(records))
    check_paid_once(checks, place, in_flight=_IN_FLIGHT, kills_ns=harms_ns)


def _harm_all(
    aims: Mapping[str, tuple[Victims, Harm]],
    cluster: SparkCluster,
    place: Place,
    endpoint: RecordedEndpoint,
    job: JobProcess,
    options: Options,
) -> list[int]:
    """Epoch nanoseconds of each time."""

    def calls_in_flight() -> bool:
        now = progress(place.root, endpoint)
        return now.score_done > done and now.in_flight > 0

    harms_ns: list[int] = []
    done = -1
    for aim, (victims, harm) in chain.from_iterable([aims.items()] * _ROUNDS):
        wait_until(calls_in_flight, job, _LIMIT_S)
        done = progress(place.root, endpoint).score_done
        found = victims(cluster)
        harms_ns.append(time.time_ns())
        for pid in found:
            with suppress(ProcessLookupError):
                harm(pid)
        time.sleep(_PAUSE_S)
        left = sum(Path(f"/proc/{pid}").exists() for pid in found)
        options.say(f"{aim}: {len(found)} found, {left} left, after batch {done}")
    return harms_ns


def _executor(cluster: SparkCluster) -> list[int]:
    """The oldest executor: one that was killed comes back as the youngest."""
    executors = [
        pid
        for worker in cluster.processes
        for pid, command in descendants(worker.pid)
        if "CoarseGrainedExecutorBackend" in command and "java" in command.split("\0")[0]
    ]
    return sorted(executors)[:1]


def _python_workers(cluster: SparkCluster) -> list[int]:
    """All Python workers of one executor; not the daemon that they are forked from."""
    return [pid for executor in _executor(cluster) for pid in python_workers(executor)]


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _hang(pid: int) -> None:
    """Stops it for longer than it waits for a reply."""
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(_HANGS_S)
    finally:
        os.kill(pid, signal.SIGCONT)


_DEATHS: Mapping[str, tuple[Victims, Harm]] = MappingProxyType(
    {
        "the Python workers of one executor killed": (_python_workers, _kill),
        "one executor killed": (_executor, _kill),
    }
)
_PAUSES: Mapping[str, tuple[Victims, Harm]] = MappingProxyType(
    {"the Python workers of one executor stopped": (_python_workers, _hang)}
)
