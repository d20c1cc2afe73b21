"""A real Prometheus server for one machine: Debian's `prometheus`, started as a child."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.directory_lock import DirectoryLock
from streaming_eval.local.ports import LOOPBACK, free_ports
from streaming_eval.local.process import ServerProcess
from streaming_eval.local.prometheus_api import PrometheusApi

_START_LIMIT_S = 30.0
_STOP_LIMIT_S = 20.0
_ADVICE = "install it, e.g. the package `prometheus` on Debian or Ubuntu (it brings promtool)"


def find_prometheus() -> Path | None:
    """The server's program, where this machine has it."""
    found = shutil.which("prometheus")
    return Path(found) if found else None


def find_promtool() -> Path | None:
    """The checker of rules and metrics that comes with the server."""
    found = shutil.which("promtool")
    return Path(found) if found else None


class PrometheusServer:
    """Scrapes targets on this machine and evaluates rules; `api` answers questions.

    Args:
        directory: holds data, configuration and `prometheus.log`; made where missing, and kept: the
            next start on it goes on with the same history.
        scrape_targets: job name to `host:port` addresses whose `/metrics` are scraped.
        rule_files: as Prometheus loads them.
        scrape_interval_s: whole seconds between scrapes, and between evaluations of the rules.
    """

    def __init__(
        self,
        directory: Path,
        scrape_targets: Mapping[str, Sequence[str]],
        rule_files: Sequence[Path] = (),
        *,
        scrape_interval_s: int = 1,
    ) -> None:
        self.directory = directory.resolve()
        self._configuration = _configuration(scrape_targets, rule_files, scrape_interval_s)
        self._lock = DirectoryLock(self.directory, "Prometheus")
        self._process: ServerProcess | None = None
        self._port = 0

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
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def api(self) -> PrometheusApi:
        return PrometheusApi(self.url)

    @property
    def log(self) -> Path:
        return self.directory / "prometheus.log"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise EnvironmentProblem(f"Prometheus on {self.directory} has not been started.")
        return self._process.pid

    def start(self) -> None:
        """Returns when the server is ready; it keeps its port from one start to the next.

        Raises:
            EnvironmentProblem: no such program, or it did not start; with the log's end.
        """
        program = find_prometheus()
        if program is None:
            raise EnvironmentProblem(f"Prometheus is needed: {_ADVICE}.")
        if self._process is not None and self._process.running:
            raise EnvironmentProblem(f"Prometheus on {self.directory} is running already.")
        self._lock.acquire()
        try:
            self._start(program)
        except BaseException:
            self._lock.release()
            raise

    def stop(self) -> None:
        """A clean shutdown, or SIGKILL when it takes too long; nothing when it is not running."""
        if self._process is not None:
            self._process.stop(_STOP_LIMIT_S)
        self._lock.release()

    def _start(self, program: Path) -> None:
        configuration = self.directory / "prometheus.yml"
        configuration.write_text(self._configuration)
        [self._port] = free_ports(1, [self._port])
        options = [
            f"--config.file={configuration}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self._port}",
        ]
        self._process = ServerProcess("Prometheus", [program, *options], self.log)
        self._process.wait_until(self.api.ready, _START_LIMIT_S)


def _configuration(
    scrape_targets: Mapping[str, Sequence[str]], rule_files: Sequence[Path], interval_s: int
) -> str:
    return yaml.safe_dump(
        {
            "global": {
                "scrape_interval": f"{interval_s}s",
                "scrape_timeout": f"{interval_s}s",
                "evaluation_interval": f"{interval_s}s",
            },
            "rule_files": [str(file.resolve()) for file in rule_files],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
                for job, addresses in scrape_targets.items()
            ],
        },
        sort_keys=False,
    )
