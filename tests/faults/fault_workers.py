"""Python workers and executors of a real standalone cluster that die or stand still for ever."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from types import MappingProxyType

from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.spark_cluster import SparkCluster
from tests.faults.checks import Checks
from tests.faults.compare import check_paid_once, check_scored_once
from tests.faults.job import JobProcess
from tests.faults.killing import IDLE
from tests.faults.options import Options
from tests.faults.processes import descendants, exists, has_kernel_timer, python_workers
from tests.faults.progress import progress
from tests.faults.site import Place, Site
from tests.faults.topic import replayed, sample_ids
from tests.faults.waiting import wait_until

_IN_FLIGHT = 32
_LATENCY_MS = 100.0
_ROUNDS = 3
_LIMIT_S = 300.0
_PAUSE_S = 3.0  # for the work to go on between two of them
_SILENCE_S = 10.0
_LATE_S = 3.0  # for the kernel and for us, on a busy machine

Victims = Callable[[SparkCluster], list[int]]
Harm = Callable[[int], None]


def workers(site: Site, options: Options, checks: Checks) -> None:
    """Nothing is lost, and only calls in flight are paid twice, wherever tasks are tried again."""
    _run(site, options, checks, _Scenario("workers", _DEATHS, {}))


def hanging_workers(site: Site, options: Options, checks: Checks) -> None:
    """The same where workers stand still and never go on: they end, and their tasks go on."""
    scenario = _Scenario(
        "hanging-workers",
        _HANGS,
        {"spark.worker_silence": f"{_SILENCE_S:g}s"},
        gone_after_s=_SILENCE_S,
    )
    _run(site, options, checks, scenario)


@dataclass(frozen=True, slots=True)
class _Scenario:
    """Who is harmed and how, by name, and settings above the usual.

    Attributes:
        gone_after_s: when the victims must be dead at the latest.
    """

    name: str
    aims: Mapping[str, tuple[Victims, Harm]]
    settings: Mapping[str, object]
    gone_after_s: float = 0.0


def _run(site: Site, options: Options, checks: Checks, scenario: _Scenario) -> None:
    name = scenario.name
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
            harms = _harm_all(scenario, cluster, place, endpoint, job, options)
            checks.equal("exit code", job.wait(_LIMIT_S), 0)
    longest_s = max(harm.gone_after_s for harm in harms)
    harms_ns = [harm.at_ns for harm in harms]
    checks.figure(
        f"{len(harms)} times, {', '.join(scenario.aims)} in turn; "
        f"the last of them was gone after {longest_s:.1f} s at most"
    )
    checks.expect(
        longest_s <= scenario.gone_after_s + _LATE_S,
        f"some were not gone {scenario.gone_after_s:g} s after they were harmed",
    )
    check_scored_once(checks, place, sample_ids(records))
    check_paid_once(checks, place, in_flight=_IN_FLIGHT, kills_ns=harms_ns)


@dataclass(frozen=True, slots=True)
class _Harmed:
    """When victims were harmed, epoch nanoseconds, and how long it took until all were dead."""

    at_ns: int
    gone_after_s: float


def _harm_all(
    scenario: _Scenario,
    cluster: SparkCluster,
    place: Place,
    endpoint: RecordedEndpoint,
    job: JobProcess,
    options: Options,
) -> list[_Harmed]:
    def calls_in_flight() -> bool:
        now = progress(place.root, endpoint)
        return now.score_done > done and now.in_flight > 0

    harms: list[_Harmed] = []
    done = -1
    for aim, (victims, harm) in chain.from_iterable([scenario.aims.items()] * _ROUNDS):
        wait_until(calls_in_flight, job, _LIMIT_S)
        done = progress(place.root, endpoint).score_done
        found = victims(cluster)
        at_ns, began = time.time_ns(), time.monotonic()
        for pid in found:
            with suppress(ProcessLookupError):
                harm(pid)
        wait_until(partial(_all_gone, found), job, _LIMIT_S)
        harms.append(_Harmed(at_ns, time.monotonic() - began))
        options.say(f"{aim}: {len(found)}, after batch {done}, {harms[-1].gone_after_s:.1f} s")
        time.sleep(_PAUSE_S)
    return harms


def _all_gone(pids: list[int]) -> bool:
    return not any(map(exists, pids))


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


def _watched_workers(cluster: SparkCluster) -> list[int]:
    """Those that have begun a task of ours: one that is just starting holds no switch yet."""
    return [pid for pid in _python_workers(cluster) if has_kernel_timer(pid)]


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _hang(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


_DEATHS: Mapping[str, tuple[Victims, Harm]] = MappingProxyType(
    {
        "the Python workers of one executor killed": (_python_workers, _kill),
        "one executor killed": (_executor, _kill),
    }
)
_HANGS: Mapping[str, tuple[Victims, Harm]] = MappingProxyType(
    {"the Python workers of one executor stopped": (_watched_workers, _hang)}
)
