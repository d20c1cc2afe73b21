"""A real Apache Kafka broker for one machine, from the jars on Maven Central."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from streaming_eval.adapters.jars import kafka_jars
from streaming_eval.adapters.java import find_java
from streaming_eval.adapters.kafka_admin import KafkaAdmin
from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.directory_lock import DirectoryLock
from streaming_eval.local.kafka_properties import LOGGING, previous_ports, server_properties
from streaming_eval.local.ports import LOOPBACK, accepts, free_ports
from streaming_eval.local.process import ServerProcess

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 30.0
_FORMAT_LIMIT_S = 60.0
_MEBIBYTE = 1_048_576


class KafkaBroker:
    """One broker in KRaft mode that is its own controller, listening on the loopback only.

    Supported: restart on the same directory, which keeps topics and records, on the same port when
    that is still free; records up to `message_max_bytes`; kill and pause, for fault tests.
    Not supported: more than one broker, replication, security, automatic topics.

    Args:
        directory: holds data, configuration and `broker.log`; made where missing.
        message_max_bytes: the largest record batch that the broker takes.
        heap_mb: the most memory for Java objects, in MiB.
    """

    def __init__(
        self, directory: Path, *, message_max_bytes: int = 2 * _MEBIBYTE, heap_mb: int = 512
    ) -> None:
        self.directory = directory.resolve()
        self._message_max_bytes = message_max_bytes
        self._heap_mb = heap_mb
        self._port = 0
        self._lock = DirectoryLock(self.directory, "the Kafka broker")
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    @property
    def log(self) -> Path:
        return self.directory / "broker.log"

    @property
    def pid(self) -> int:
        return self._running.pid

    def start(self) -> None:
        """Returns when the broker answers a metadata request.

        Raises:
            EnvironmentProblem: no Java, no jars, or the broker did not start; with the log's end.
        """
        if self._process is not None and self._process.running:
            raise EnvironmentProblem(f"the broker on {self.directory} is running already.")
        self._lock.acquire()
        try:
            self._start(self._java())
        except BaseException:
            self._lock.release()
            raise

    def stop(self) -> None:
        """A clean shutdown, or SIGKILL when it takes too long; nothing when it is not running."""
        if self._process is not None:
            self._process.stop(_STOP_LIMIT_S)
        self._lock.release()

    def kill(self) -> None:
        """Ends the broker as a crash would; `start` brings it back with its data."""
        self._running.kill()

    def pause(self) -> None:
        """Stops the broker from answering, with its connections open, until `resume`."""
        self._running.pause()

    def resume(self) -> None:
        """Ends a pause."""
        self._running.resume()

    def create_topic(
        self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> bool:
        """Creates the topic and returns True; one that exists is left as it is: False."""
        return KafkaAdmin(self.bootstrap_servers).create_topic(name, partitions, config=config)

    @property
    def _running(self) -> ServerProcess:
        if self._process is None:
            raise EnvironmentProblem(f"the broker on {self.directory} has not been started.")
        return self._process

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _start(self, java: list[str]) -> None:
        self._configure()
        self._format(java)
        command = [*java, "kafka.Kafka", str(self._properties)]
        self._process = ServerProcess("the Kafka broker", command, self.log)
        admin = KafkaAdmin(self.bootstrap_servers)
        self._process.wait_until(
            lambda: accepts(self._port) and admin.answers(timeout_s=1), _START_LIMIT_S
        )

    def _java(self) -> list[str]:
        logging = self.directory / "log4j2.properties"
        class_path = ":".join(str(jar) for jar in kafka_jars())
        options = [f"-Xmx{self._heap_mb}m", f"-Dlog4j2.configurationFile={logging}"]
        return [str(find_java()), *options, "-cp", class_path]

    def _configure(self) -> None:
        self._port, controller_port = free_ports(2, previous_ports(self._properties))
        self._properties.write_text(
            server_properties(self._data, self._port, controller_port, self._message_max_bytes)
        )
        (self.directory / "log4j2.properties").write_text(LOGGING)

    def _format(self, java: list[str]) -> None:
        """Writes the identity of the cluster, once in the life of a directory."""
        if (self._data / "meta.properties").exists():
            return
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = [f"--cluster-id={cluster_id}", "--config", str(self._properties)]
        command = [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_FORMAT_LIMIT_S, check=False
        )
        if done.returncode:
            raise EnvironmentProblem(
                f"Kafka could not prepare {self._data}: {(done.stdout + done.stderr).strip()}"
            )
