"""Where fault runs take place: one broker, and for each run a storage root and an endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from streaming_eval.adapters.tables import Tables
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.call_log import Call, read_calls
from streaming_eval.local.demo_configuration import Addresses, write_configuration
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.kafka_broker import KafkaBroker
from streaming_eval.local.sample_replay import TopicRecord
from streaming_eval.local.topic_writer import TopicWriter
from tests.faults.job import PRODUCT, JobProcess

PARTITIONS = 2
LARGEST_MESSAGE_BYTES = 4_194_304


@dataclass(frozen=True, slots=True)
class Place:
    """One run of a scenario: storage root, configuration, call log and job log.

    Attributes:
        call_log: of the endpoint that the job asks.
        settings: key to value, above the demo's configuration.
    """

    directory: Path
    configuration: Path
    call_log: Path
    settings: Mapping[str, object]

    @property
    def root(self) -> Path:
        return self.directory / "lakehouse"

    def tables(self) -> Tables:
        """The tables as they are now."""
        shared = self.settings.get("storage.responses")
        return Tables(self.root, places={"responses": Path(str(shared))} if shared else {})

    def read(self, table: str) -> pa.Table:
        """A whole table."""
        return self.tables().read(table)

    def calls(self) -> list[Call]:
        """Every call that the endpoint saw."""
        return read_calls(self.call_log)

    def job(
        self,
        *options: str,
        program: str = PRODUCT,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> JobProcess:
        """Starts the job, or another program with the same options, in `environment`."""
        changes = [f"--set={key}={value}" for key, value in self.settings.items()]
        command = ["--config", str(self.configuration), *changes, *options]
        log = self.directory / "job.log"
        return JobProcess(command, log, program=program, environment=environment)


class Site:
    """A running broker and a directory for everything.

    Args:
        directory: must exist.
        broker: must have been started.
    """

    def __init__(self, directory: Path, broker: KafkaBroker) -> None:
        self._directory, self._broker = directory, broker

    @property
    def bootstrap_servers(self) -> str:
        return self._broker.bootstrap_servers

    def topic(self, name: str) -> str:
        """Makes a topic and, with one partition, its dead-letter topic."""
        self._broker.create_topic(name, PARTITIONS)
        self._broker.create_topic(dead_letter_topic(name), 1)
        return name

    def produce(self, topic: str, records: Iterable[TopicRecord]) -> int:
        """Writes records and waits for their acknowledgement."""
        return TopicWriter(self.bootstrap_servers, topic).write_all(records)

    def endpoint(
        self, name: str, latency_ms: float, *, port: int | None = None, synthetic: bool = False
    ) -> RecordedEndpoint:
        """The endpoint of the place of that name, not started yet."""
        directory = self.made(name)
        return RecordedEndpoint(
            Behaviour(latency_ms=latency_ms),
            call_log=_call_log(directory),
            port=port,
            synthetic=synthetic,
            directory=directory,
        )

    def place(
        self,
        name: str,
        topic: str,
        endpoint: RecordedEndpoint,
        settings: Mapping[str, object],
        *,
        endpoint_name: str = "",
    ) -> Place:
        """A place to run the job on a topic; `settings` are set above the demo's.

        The endpoint has the same name unless another is given.
        """
        directory = self.made(name)
        configuration = directory / "streaming-eval.yaml"
        addresses = Addresses(self.bootstrap_servers, endpoint.base_url, exporter_port=0)
        topics = {"kafka.topic": topic, "kafka.dead_letter_topic": dead_letter_topic(topic)}
        call_log = _call_log(self.made(endpoint_name or name))
        place = Place(directory, configuration, call_log, {**topics, **settings})
        write_configuration(configuration, place.root, addresses)
        return place

    def made(self, name: str) -> Path:
        """The directory of that name; made where missing."""
        directory = self._directory / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory


def dead_letter_topic(topic: str) -> str:
    """The topic for the records of another that are not samples."""
    return f"{topic}.dlq"


def _call_log(directory: Path) -> Path:
    return directory / "calls.jsonl"
