"""SIGKILL of Python workers and of executors of a real standalone cluster, with calls in flight."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
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
from tests.faults.progress import progress
from tests.faults.site import Place, Site
from tests.faults.topic import replayed, sample_ids
from tests.faults.waiting import wait_until

_SAMPLES = 6_000
_IN_FLIGHT = 32
_LATENCY_MS = 100.0
_KILLS_OF_EACH = 3
_LIMIT_S = 300.0
_PAUSE_S = 3.0  # for the work to go on between two kills

Victims = Callable[[SparkCluster], list[int]]


def workers(site: Site, options: Options, checks: Checks) -> None:
    """Nothing is lost, and only calls in flight are paid twice, wherever tasks are tried again."""
    topic = site.topic("faults.workers")
    records = replayed(_SAMPLES, "w", seed=options.seed, step_ms=10, swap=False)
    site.produce(topic, records)
    with (
        SparkCluster(site.made("workers") / "spark") as cluster,
        site.endpoint("workers", latency_ms=_LATENCY_MS) as endpoint,
    ):
        settings = {
            "spark.master": cluster.master,
            "spark.partitions": 4,
            "kafka.max_records_per_trigger": 600,
            "endpoints.recorded.max_in_flight": _IN_FLIGHT,
        }
        place = site.place("workers", topic, endpoint, settings)
        with place.job(IDLE) as job:
            kills_ns = _kill_all(cluster, place, endpoint, job, options)
            checks.equal("exit code", job.wait(_LIMIT_S), 0)
    checks.figure(f"{len(kills_ns)} kills, {', '.join(_AIMS)} in turn")
    check_scored_once(checks, place, sample_ids(records))
    check_paid_once(checks, place, in_flight=_IN_FLIGHT, kills_ns=kills_ns)


def _kill_all(
    cluster: SparkCluster,
    place: Place,
    endpoint: RecordedEndpoint,
    job: JobProcess,
    options: Options,
) -> list[int]:
    """Epoch nanoseconds of each kill."""

    def calls_in_flight() -> bool:
        now = progress(place.root, endpoint)
        return now.score_done > done and now.in_flight > 0

    kills_ns: list[int] = []
    done = -1
    for aim, victims in chain.from_iterable([_AIMS.items()] * _KILLS_OF_EACH):
        wait_until(calls_in_flight, job, _LIMIT_S)
        done = progress(place.root, endpoint).score_done
        found = victims(cluster)
        kills_ns.append(time.time_ns())
        for pid in found:
            _kill(pid)
        options.say(f"killed {len(found)} of {aim} after batch {done}")
        time.sleep(_PAUSE_S)
    return kills_ns


def _executor(cluster: SparkCluster) -> list[int]:
    """The oldest executor: one that was killed comes back as the youngest."""
    executors = [
        pid
        for worker in cluster.processes
        for pid, command in _descendants(worker.pid)
        if "CoarseGrainedExecutorBackend" in command and "java" in command.split("\0")[0]
    ]
    return sorted(executors)[:1]


def _python_workers(cluster: SparkCluster) -> list[int]:
    """All Python workers of one executor; not the daemon that they are forked from."""
    for executor in _executor(cluster):
        family = _descendants(executor)
        daemons = {pid for pid, command in family if "pyspark.daemon" in command}
        return [pid for pid in daemons if _parent(pid) in daemons]
    return []


_AIMS: Mapping[str, Victims] = MappingProxyType(
    {"the Python workers of one executor": _python_workers, "one executor": _executor}
)


def _descendants(ancestor: int) -> list[tuple[int, str]]:
    """(pid, command line) of each process below `ancestor`."""
    parents = {pid: _parent(pid) for pid in _pids()}
    family, found = {ancestor}, {ancestor}
    while found:
        found = {pid for pid, parent in parents.items() if parent in found}
        family |= found
    return [(pid, _command(pid)) for pid in family - {ancestor}]


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _parent(pid: int) -> int | None:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return None
    return int(after_name.split()[1])


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
