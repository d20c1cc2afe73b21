"""A real job on a real broker and a synthetic model endpoint, for measuring."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import yaml
from deltalake import DeltaTable

from streaming_eval.adapters.scrape import scrape
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.call_log import Call, read_calls
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.kafka_broker import KafkaBroker
from streaming_eval.local.ports import LOOPBACK, free_ports
from streaming_eval.local.process import ServerProcess
from streaming_eval.local.sample_replay import TopicRecord
from streaming_eval.local.topic_writer import TopicWriter

MODEL = "synthetic-model"
_COMMAND = ("streaming_eval.cli", "run")
_START_LIMIT_S = 300.0
_CORES = 2
_STOP_LIMIT_S = 60.0


@dataclass(slots=True)
class BenchJob:
    """Handles on a job.

    Attributes:
        calls: every call that the endpoint saw so far, whoever made it.
        process: the driver, once it has been started.
        sent: samples made for it so far.
    """

    root: Path
    endpoint: RecordedEndpoint
    writer: TopicWriter
    address: str
    calls: Callable[[], list[Call]]
    process: ServerProcess | None = None
    sent: int = 0

    def produce(self, prompts: Sequence[str]) -> None:
        """Sends one sample per prompt, as fast as it goes, and waits for acknowledgement."""
        self.writer.write_all(self.record(prompt) for prompt in prompts)

    def record(self, prompt: str) -> TopicRecord:
        """A sample with this prompt, now."""
        self.sent += 1
        return sample_record(self.sent, prompt)

    def rate(self, prompts: Sequence[str], limit_s: float = 300.0) -> float:
        """Samples per second, from the first record produced to the last score committed.

        Everything sent before must have been scored.
        """
        records = [self.record(prompt) for prompt in prompts]
        began = time.time()
        self.writer.write_all(records)
        return len(records) / (self.wait_scored(self.sent, limit_s) - began)

    def wait_scored(self, samples: int, limit_s: float = 300.0) -> float:
        """Waits until so many samples were scored in all; returns when the last was committed.

        The time is that of the Delta commit, epoch seconds.
        """
        assert self.process is not None
        self.process.wait_until(lambda: self._scored() >= samples, limit_s)
        table = DeltaTable(str(self.root / "tables" / "scores"))
        return float(table.history(1)[0]["timestamp"]) / 1_000

    def _scored(self) -> float:
        """How many samples were scored so far; 0 when the exporter has no time to answer."""
        try:
            return self.counter("samples_total", outcome="scored")
        except OSError:
            return 0.0

    def counter(self, name: str, **labels: str) -> float:
        """Sum of a metric over all series that carry these labels."""
        return sum(
            value
            for have, labelled, value in scrape(self.address)
            if have == f"streaming_eval_{name}"
            and all(labelled.get(k) == v for k, v in labels.items())
        )


@dataclass(frozen=True, slots=True)
class BenchSite:
    """A running broker and a running endpoint, for one job or several."""

    directory: Path
    broker: KafkaBroker
    endpoint: RecordedEndpoint
    call_log: Path

    @contextmanager
    def job(
        self,
        name: str,
        in_flight: int | None,
        settings: Mapping[str, object] = MappingProxyType({}),
        *,
        backlog: Sequence[str] = (),
        module: Sequence[str] = _COMMAND,
    ) -> Iterator[BenchJob]:
        """A job with a topic and a storage root of its own, stopped at the end of the block.

        Args:
            name: of its directory and topic.
            in_flight: requests open at once, in all; None for the default.
            settings: dotted key to value, above the job's other settings.
            backlog: prompts of samples that lie in the topic before the job starts.
            module: what is run as `python -m`, with its first arguments.
        """
        directory = self.directory / name
        directory.mkdir()
        for topic, partitions in ((name, 2), (f"{name}.dlq", 1)):
            self.broker.create_topic(topic, partitions)
        (port,) = free_ports(1)
        writer = TopicWriter(self.broker.bootstrap_servers, name)
        job = BenchJob(directory / "lake", self.endpoint, writer, f"{LOOPBACK}:{port}", self.calls)
        job.produce(backlog)
        configuration = directory / "bench.yaml"
        configuration.write_text(yaml.safe_dump(self._settings(job, name, port, in_flight)))
        command = [sys.executable, "-m", *module, "--config", str(configuration)]
        changes = [f"--set={key}={value}" for key, value in settings.items()]
        job.process = ServerProcess("the job", [*command, *changes], directory / "job.log")
        try:
            job.process.wait_until(lambda: _ready(port), _START_LIMIT_S)
            yield job
        finally:
            job.process.stop(_STOP_LIMIT_S)

    def calls(self) -> list[Call]:
        """Every call that the endpoint saw so far, whoever made it."""
        return read_calls(self.call_log)

    def _settings(
        self, job: BenchJob, topic: str, port: int, in_flight: int | None
    ) -> Mapping[str, object]:
        endpoint: dict[str, object] = {"base_url": self.endpoint.base_url}
        if in_flight is not None:
            endpoint["max_in_flight"] = in_flight
        return {
            "version": 1,
            "job": "benchmark",
            "kafka": {
                "bootstrap_servers": self.broker.bootstrap_servers,
                "topic": topic,
                "dead_letter_topic": f"{topic}.dlq",
            },
            "storage": {"root": str(job.root)},
            "production_models": ["production"],
            "endpoints": {"synthetic": endpoint},
            "candidates": [{"name": "candidate", "endpoint": "synthetic", "model": MODEL}],
            "scorers": [{"kind": "contains"}],
            "monitor": {"pane": "10s", "window": "24h"},
            "exporter": {"port": port},
        }


@contextmanager
def bench_site(
    directory: Path, behaviour: Behaviour, *, changing: bool = False
) -> Iterator[BenchSite]:
    """Broker and endpoint started, and stopped at the end of the block.

    Args:
        directory: for both.
        behaviour: of the endpoint.
        changing: whether it will be changed meanwhile, which one process alone can.
    """
    log = directory / "calls.jsonl"
    endpoint = bench_endpoint(directory, behaviour, log, changing=changing)
    with KafkaBroker(directory / "kafka") as broker, endpoint:
        yield BenchSite(directory, broker, endpoint, log)


def bench_endpoint(
    directory: Path,
    behaviour: Behaviour,
    call_log: Path | None = None,
    *,
    changing: bool = False,
) -> RecordedEndpoint:
    """Answers whatever it is asked, from two processes where its behaviour allows that.

    One process would be what clients on two cores wait for when answers take no time.
    """
    single = changing or behaviour.random or behaviour.requests_per_minute > 0
    return RecordedEndpoint(
        behaviour,
        synthetic=True,
        call_log=call_log,
        directory=directory,
        processes=1 if single else _CORES,
    )


@contextmanager
def bench_job(
    directory: Path,
    behaviour: Behaviour,
    in_flight: int,
    settings: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[BenchJob]:
    """One job on a site of its own; see `BenchSite.job`."""
    with bench_site(directory, behaviour) as site, site.job("job", in_flight, settings) as job:
        yield job


def new_prompts(count: int) -> list[str]:
    """Prompts that never occurred before."""
    run = uuid.uuid4().hex
    return [f"Question {run} number {i}: what is the answer to this one?" for i in range(count)]


def sample_record(number: int, prompt: str) -> TopicRecord:
    """A sample with this prompt, now."""
    sample = {
        "id": f"bench-{number}",
        "time": datetime.now(UTC).isoformat(),
        "model": "production",
        "prompt": prompt,
        "response": "a recorded response",
        "target": "recorded",
    }
    return TopicRecord(str(number).encode(), json.dumps(sample).encode())


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/-/ready", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
