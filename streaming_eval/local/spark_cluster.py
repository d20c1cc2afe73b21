"""A real Spark standalone cluster on one machine: a master, and workers as processes."""

from __future__ import annotations

import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson
import pyspark

from streaming_eval.adapters.java import find_java
from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.ports import LOOPBACK, free_ports
from streaming_eval.local.process import ServerProcess
from streaming_eval.versions import SCALA_BINARY

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 20.0
_QUERY_LIMIT_S = 2.0
_DEPLOY = "org.apache.spark.deploy"


class SparkCluster:
    """A master and its workers, listening on the loopback only.

    Supported: jobs that find their files under the same paths as this process; killing one worker
    with its executors.
    Not supported: more than one host, recovery of the master.

    Args:
        directory: holds logs and the executors' working directories; made where missing.
        workers: how many.
        cores: of each worker.
        memory_mb: of each worker, for its executors.
        apart: give each worker a loopback address of its own, which is a host of its own to Spark:
            it runs no speculative copy on the host of the first attempt.
    """

    def __init__(
        self,
        directory: Path,
        *,
        workers: int = 2,
        cores: int = 2,
        memory_mb: int = 2_048,
        apart: bool = False,
    ) -> None:
        self._directory, self._apart = directory.resolve(), apart
        self._workers, self._cores, self._memory_mb = workers, cores, memory_mb
        self._port, self._ui_port = free_ports(2)
        self._stack = ExitStack()
        self.processes: list[ServerProcess] = []

    @property
    def master(self) -> str:
        """What `spark.master` must be to use the cluster."""
        return f"spark://{LOOPBACK}:{self._port}"

    def __enter__(self) -> Self:
        """Returns when every worker has registered.

        Raises:
            EnvironmentProblem: no Java, or the cluster did not start; with the log's end.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        ports = ["--port", str(self._port), "--webui-port", str(self._ui_port)]
        master = self._launch("master", LOOPBACK, f"{_DEPLOY}.master.Master", *ports)
        master.wait_until(lambda: self._alive_workers() is not None, _START_LIMIT_S)
        size = ["--cores", str(self._cores), "--memory", f"{self._memory_mb}m"]
        for number in range(self._workers):
            work = ["--work-dir", str(self._directory / f"work-{number}"), "--webui-port", "0"]
            host = f"127.0.0.{2 + number}" if self._apart else LOOPBACK
            worker = f"{_DEPLOY}.worker.Worker"
            self.processes.append(
                self._launch(f"worker-{number}", host, worker, *size, *work, self.master)
            )
        master.wait_until(lambda: self._alive_workers() == self._workers, _START_LIMIT_S)

    def _launch(self, name: str, host: str, main_class: str, *arguments: str) -> ServerProcess:
        home = Path(pyspark.__file__).parent
        java = [str(find_java()), "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        command = [*java, "-cp", f"{home / 'jars'}/*", main_class, "--host", host, *arguments]
        environment = {
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": host,
            "SPARK_SCALA_VERSION": SCALA_BINARY,  # else it is guessed from a source tree
        }
        log = self._directory / f"{name}.log"
        process = ServerProcess(f"the Spark {name}", command, log, environment)
        self._stack.callback(process.stop, _STOP_LIMIT_S)
        return process

    def _alive_workers(self) -> int | None:
        """How many workers have registered; None while the master does not say."""
        try:
            page = f"http://{LOOPBACK}:{self._ui_port}/json/"
            with urllib.request.urlopen(page, timeout=_QUERY_LIMIT_S) as reply:
                return int(orjson.loads(reply.read())["aliveworkers"])
        except (OSError, orjson.JSONDecodeError):  # its first pages come before it is ready
            return None
        except KeyError as error:
            raise EnvironmentProblem(f"the Spark master says nothing of {error}") from None
