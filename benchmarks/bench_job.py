"""A real job on a real broker and a synthetic model endpoint, for measuring."""

from __future__ import annotations

import itertools
import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import yaml
from deltalake import DeltaTable

from streaming_eval.adapters.scrape import scrape
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.kafka_broker import KafkaBroker
from streaming_eval.local.ports import LOOPBACK, free_ports
from streaming_eval.local.process import ServerProcess
from streaming_eval.local.sample_replay import TopicRecord
from streaming_eval.local.topic_writer import TopicWriter
from streaming_eval.settings import KafkaSettings

MODEL = "synthetic-model"
TOPIC = KafkaSettings().topic
_START_LIMIT_S = 120.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class BenchJob:
    """Handles on the running parts."""

    directory: Path
    endpoint: RecordedEndpoint
    writer: TopicWriter
    address: str
    numbers: Iterator[int]

    def produce(self, prompts: Sequence[str]) -> None:
        """Sends one sample per prompt, as fast as it goes, and waits for acknowledgement."""
        self.writer.write_all(self.record(prompt) for prompt in prompts)

    def record(self, prompt: str) -> TopicRecord:
        """A sample with this prompt, now."""
        number = next(self.numbers)
        sample = {
            "id": f"bench-{number}",
            "time": datetime.now(UTC).isoformat(),
            "model": "production",
            "prompt": prompt,
            "response": "a recorded response",
            "target": "recorded",
        }
        return TopicRecord(str(number).encode(), json.dumps(sample).encode())

    def wait_scored(self, samples: int, limit_s: float = 300.0) -> float:
        """Waits until so many samples were scored in all; returns when the last was committed.

        The time is that of the Delta commit, epoch seconds.
        """
        ends_at = time.monotonic() + limit_s
        while self.counter("samples_total", outcome="scored") < samples:
            if time.monotonic() > ends_at:
                raise TimeoutError(f"{samples} samples were not scored within {limit_s:g} s")
            time.sleep(_POLL_S)
        table = DeltaTable(str(self.directory / "lake" / "tables" / "scores"))
        return float(table.history(1)[0]["timestamp"]) / 1_000

    def counter(self, name: str, **labels: str) -> float:
        """Sum of a metric over all series that carry these labels."""
        return sum(
            value
            for have, labelled, value in scrape(self.address)
            if have == f"streaming_eval_{name}"
            and all(labelled.get(k) == v for k, v in labels.items())
        )


@contextmanager
def bench_job(
    directory: Path,
    behaviour: Behaviour,
    in_flight: int,
    settings: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[BenchJob]:
    """Everything started, and stopped at the end of the block.

    Args:
        directory: for all state.
        behaviour: of the model endpoint.
        in_flight: requests open at once, in all.
        settings: key to value, above the job's other settings.
    """
    with (
        KafkaBroker(directory / "kafka") as broker,
        RecordedEndpoint(
            behaviour,
            synthetic=True,
            call_log=directory / "calls.jsonl",
            directory=directory,
        ) as endpoint,
    ):
        broker.create_topic(TOPIC, 2)
        broker.create_topic(KafkaSettings().dead_letter_topic, 1)
        (port,) = free_ports(1)
        configuration = directory / "bench.yaml"
        configuration.write_text(
            yaml.safe_dump(_settings(directory, broker, endpoint.base_url, port, in_flight))
        )
        command = [sys.executable, "-m", "streaming_eval.cli", "run", "--config"]
        changes = [f"--set={key}={value}" for key, value in settings.items()]
        job = ServerProcess("the job", [*command, configuration, *changes], directory / "job.log")
        try:
            job.wait_until(lambda: _ready(port), _START_LIMIT_S)
            writer = TopicWriter(broker.bootstrap_servers, TOPIC)
            yield BenchJob(directory, endpoint, writer, f"{LOOPBACK}:{port}", itertools.count())
        finally:
            job.stop(60)


def _settings(
    directory: Path,
    broker: KafkaBroker,
    base_url: str,
    port: int,
    in_flight: int,
) -> dict[str, object]:
    return {
        "version": 1,
        "job": "benchmark",
        "kafka": {"bootstrap_servers": broker.bootstrap_servers},
        "storage": {"root": str(directory / "lake")},
        "production_models": ["production"],
        "endpoints": {"synthetic": {"base_url": base_url, "max_in_flight": in_flight}},
        "candidates": [{"name": "candidate", "endpoint": "synthetic", "model": MODEL}],
        "scorers": [{"kind": "contains"}],
        "monitor": {"pane": "10s", "window": "24h"},
        "exporter": {"port": port},
    }


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/-/ready", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
