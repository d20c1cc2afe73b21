"""Everything the demo runs: broker, model endpoint, the job itself, Prometheus."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.demo_configuration import Addresses, write_configuration
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.kafka_broker import KafkaBroker
from streaming_eval.local.ports import LOOPBACK, free_ports
from streaming_eval.local.process import ServerProcess
from streaming_eval.local.prometheus_server import PrometheusServer, find_prometheus
from streaming_eval.settings import KafkaSettings

_PARTITIONS = 2
_ENDPOINT_LATENCY_MS = 50.0
_JOB_START_LIMIT_S = 120.0
_JOB_STOP_LIMIT_S = 180.0
_RULES = Path("deploy/prometheus/rules")


class Stage:
    """Starts the services on one state directory and ends them in reverse order.

    Started again on the same directory, everything comes back with its data and, as far as they
    are free, on its ports: the model endpoint's address is part of every cache key.

    Args:
        directory: holds all state and logs.
        baseline_samples: scores that pin a series' baseline.
    """

    def __init__(self, directory: Path, baseline_samples: int = 5_000) -> None:
        self._baseline_samples = baseline_samples
        self.directory = directory.absolute()
        self.root = self.directory / "lakehouse"
        self.call_log = self.directory / "calls.jsonl"
        self.configuration = self.directory / "streaming-eval.yaml"
        self.prometheus: PrometheusServer | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def start_kafka(self) -> str:
        """Starts the broker, creates the topics, returns the bootstrap servers."""
        self.broker = self._stack.enter_context(KafkaBroker(self.directory / "kafka"))
        defaults = KafkaSettings()
        self.broker.create_topic(defaults.topic, _PARTITIONS)
        self.broker.create_topic(defaults.dead_letter_topic, 1)
        return self.broker.bootstrap_servers

    def start_endpoint(self) -> str:
        """Starts the recorded model endpoint and returns its base URL."""
        (port,) = self._ports("endpoint", 1)
        endpoint = RecordedEndpoint(
            Behaviour(latency_ms=_ENDPOINT_LATENCY_MS),
            call_log=self.call_log,
            port=port,
            directory=self.directory,
        )
        return self._stack.enter_context(endpoint).base_url

    def start_job(self, base_url: str) -> str:
        """Starts the job as anyone would, by its command line, and returns its metrics address."""
        (port,) = self._ports("exporter", 1)
        addresses = Addresses(self.broker.bootstrap_servers, base_url, port)
        write_configuration(self.configuration, self.root, addresses, self._baseline_samples)
        command = [sys.executable, "-m", "streaming_eval.cli", "run", "--config"]
        self.job = ServerProcess(
            "the job", [*command, self.configuration], self.directory / "job.log"
        )
        self._stack.callback(self.job.stop, _JOB_STOP_LIMIT_S)
        address = f"{LOOPBACK}:{port}"
        self.job.wait_until(lambda: _answers(f"http://{address}/-/ready"), _JOB_START_LIMIT_S)
        return address

    def start_prometheus(self, exporter: str) -> PrometheusServer | None:
        """Starts Prometheus with our rules; None where it is not installed."""
        if find_prometheus() is None:
            return None
        server = PrometheusServer(
            self.directory / "prometheus",
            scrape_targets={"streaming-eval": [exporter]},
            rule_files=sorted(rules_directory().glob("*.rules.yml")),
            scrape_interval_s=2,
        )
        self.prometheus = self._stack.enter_context(server)
        return self.prometheus

    def stop_job(self) -> None:
        """Lets the job finish its batches and end."""
        self.job.stop(_JOB_STOP_LIMIT_S)

    def job_failed(self) -> EnvironmentProblem:
        """The error to raise when the job has ended by itself."""
        tail = "\n".join(self.job.log.read_text(errors="replace").splitlines()[-15:])
        return EnvironmentProblem(f"the job ended; {self.job.log} ends with:\n{tail}")

    def _ports(self, name: str, count: int) -> list[int]:
        """Free ports, the same as last time where possible."""
        path = self.directory / f"{name}-ports.json"
        known = json.loads(path.read_text()) if path.exists() else []
        ports = free_ports(count, known)
        path.write_text(json.dumps(ports))
        return ports


def rules_directory() -> Path:
    """Where the alert rules lie in a checkout."""
    return Path(str(files("streaming_eval"))).parent / _RULES


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False
