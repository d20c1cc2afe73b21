"""The recorded endpoint as a process of its own, for the length of a `with` block."""

from __future__ import annotations

import sys
from dataclasses import asdict
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import orjson

from streaming_eval.errors import EnvironmentProblem, SettingsError
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.dataset import fetch_wheel
from streaming_eval.local.ports import LOOPBACK, free_ports
from streaming_eval.local.process import ServerProcess

_MODULE = "streaming_eval.local.recorded_endpoint"
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 5.0
_ASK_LIMIT_S = 10.0


class RecordedEndpoint:
    """Starts and stops `streaming_eval.local.recorded_endpoint` on the loopback interface.

    Stopped and started again it comes back on its port, with the behaviour it was made with.

    Args:
        behaviour: latency, limits and faults to begin with.
        call_log: file that gets one line per call (`call_log.read_calls`); None keeps no log.
        synthetic: make up answers to prompts that were not recorded.
        api_key: what clients must send, each API in its own header; None lets everybody in.
        port: None takes a free one.
        directory: where its own output goes; a temporary one when None.
        processes: that serve; more than one where one core is not enough, with neither chance nor a
            rate limit in the behaviour, which cannot be changed then.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        call_log: Path | None = None,
        synthetic: bool = False,
        api_key: str | None = None,
        port: int | None = None,
        directory: Path | None = None,
        processes: int = 1,
    ) -> None:
        self._behaviour = behaviour or Behaviour()
        self._call_log = call_log
        self._synthetic = synthetic
        self._api_key = api_key
        self._directory, self._processes = directory, processes
        self._scratch: TemporaryDirectory[str] | None = None
        self._process: ServerProcess | None = None
        self.port = port

    @property
    def base_url(self) -> str:
        """What OpenAI clients call the base URL; known once started."""
        return f"{self.root_url}/v1"

    @property
    def root_url(self) -> str:
        """Where all APIs are: `/v1` of OpenAI and Anthropic, `/v1beta` of Google."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def process(self) -> ServerProcess:
        """The running server, to be paused or killed by fault tests.

        Raises:
            EnvironmentProblem: it does not run.
        """
        if self._process is None:
            raise EnvironmentProblem("the recorded endpoint is not running")
        return self._process

    def start(self) -> Self:
        """Starts the server and returns when it accepts calls.

        Raises:
            EnvironmentProblem: the data cannot be fetched, or the server did not come up.
        """
        wheel = fetch_wheel()  # here, because here its error reaches the caller
        self.port = self.port or free_ports(1)[0]
        directory = self._made_directory()
        log = directory / "recorded-endpoint.log"
        self._process = ServerProcess("recorded endpoint", self._command(wheel, directory), log)
        try:
            self._process.wait_until(self._answers, _START_LIMIT_S)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the server; calls in flight get no answer. Harmless when it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.stop(_STOP_LIMIT_S)
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            scratch.cleanup()

    def control(self, **values: float | str) -> Behaviour:
        """Changes fields of the behaviour from the next call on and returns all of them.

        Raises:
            SettingsError: a name is unknown or a value is out of its range.
        """
        status, content = self._ask("POST", "/control", orjson.dumps(values))
        if status != HTTPStatus.OK:
            raise SettingsError(content["error"]["message"])
        return Behaviour(**content)

    def stats(self) -> dict[str, Any]:
        """Calls by status and in flight, see `EndpointRoutes`."""
        return self._ask("GET", "/stats")[1]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _made_directory(self) -> Path:
        if self._directory is None:
            self._scratch = TemporaryDirectory(prefix="recorded-endpoint-")
            return Path(self._scratch.name)
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def _command(self, wheel: Path, directory: Path) -> list[str]:
        command = [sys.executable, "-m", _MODULE, f"--port={self.port}", f"--wheel={wheel}"]
        command.append(f"--processes={self._processes}")
        command += [f"--set={name}={value}" for name, value in asdict(self._behaviour).items()]
        if self._call_log is not None:
            command.append(f"--call-log={self._call_log.absolute()}")
        if self._synthetic:
            command.append("--synthetic")
        if self._api_key is not None:
            command.append(f"--api-key-file={_secret_file(directory, self._api_key)}")
        return command

    def _answers(self) -> bool:
        """Whether it is our server that answers, and not another one on the same port."""
        try:
            return bool(self._ask("GET", "/healthz")[1].get("pid") == self.process.pid)
        except EnvironmentProblem:
            return False

    def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection(LOOPBACK, self.port, timeout=_ASK_LIMIT_S)
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            return reply.status, orjson.loads(reply.read())
        except (OSError, HTTPException) as error:
            raise EnvironmentProblem(f"the recorded endpoint does not answer: {error}") from error
        finally:
            connection.close()


def _secret_file(directory: Path, secret: str) -> Path:
    """A file that only its owner can read; a command line would show the secret to everybody."""
    path = directory / "api-key"
    path.touch(mode=0o600)
    path.write_text(secret)
    return path
