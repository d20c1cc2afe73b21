"""A server of several model APIs that answers with what real models once said.

    python -m streaming_eval.local.recorded_endpoint --port 8080 --set latency_ms=50

Models: `gpt-4`, `llama-2-7b`, `llama-2-13b` (recorded answers to 2,337 questions, see
`questions.py`), `scripted-judge` (see `scripted_judge.py`), and for embeddings `hashed-words` (see
`embeddings_wire.py`). It serves 127.0.0.1 only, prints its port as one line of JSON once it accepts
calls, and ends on SIGTERM or SIGINT.

Supported: `POST /v1/chat/completions`, `POST /v1/completions` and `POST /v1/embeddings` as OpenAI
has them, `POST /v1/messages` as Anthropic, `POST /v1beta/models/{model}:generateContent` (also
below `/v1`) as Google, and `GET /v1/models`, `GET /healthz`, `GET /stats`, `GET /control`,
`POST /control`. Not supported: streamed replies, several choices, chunked request bodies, TLS.
Sampling parameters are accepted and change nothing: a recording has no temperature.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

import orjson
import uvloop

from streaming_eval.errors import SettingsError, StreamingEvalError
from streaming_eval.local.answers import AnswerBook
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.call_log import CallLog
from streaming_eval.local.endpoint_routes import EndpointRoutes
from streaming_eval.local.forked import forked
from streaming_eval.local.http_connection import Connection, InFlight
from streaming_eval.local.model_api import ModelApi
from streaming_eval.local.questions import load_questions
from streaming_eval.local.shared_counts import SharedCounts

_HOST = "127.0.0.1"
_BACKLOG = 4_096


async def serve(api: ModelApi, port: int, pid: int, *, alone: bool) -> None:
    """Serves until SIGTERM or SIGINT; a port of 0 takes a free one.

    Args:
        api: gives the replies.
        port: shared with the other processes, among which Linux divides the connections.
        pid: of the first process.
        alone: whether there are no others.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    in_flight = InFlight()
    routes = EndpointRoutes(api, in_flight, pid, alone=alone)
    server = await loop.create_server(
        lambda: Connection(routes.handle, in_flight),
        _HOST,
        port,
        backlog=_BACKLOG,
        reuse_port=not alone,
    )
    if os.getpid() == pid:
        bound = server.sockets[0].getsockname()[1]
        sys.stdout.buffer.write(orjson.dumps({"port": bound}) + b"\n")
        sys.stdout.flush()
    await stopped.wait()
    server.close()


def main(arguments: list[str] | None = None) -> int:
    """Runs the server as its command line says; the exit status is 2 when it cannot start."""
    options = _parser().parse_args(arguments)
    try:
        _check_processes(options)
        calls = SharedCounts(options.processes)
        api, pid, alone = _model_api(options, calls), os.getpid(), options.processes == 1

        def other(number: int) -> None:
            calls.join(number)
            uvloop.run(serve(api, options.port, pid, alone=alone))

        with forked(options.processes, other):
            uvloop.run(serve(api, options.port, pid, alone=alone))
    except (StreamingEvalError, OSError) as error:
        sys.stderr.write(f"recorded endpoint: {error}\n")
        return 2
    return 0


def _check_processes(options: argparse.Namespace) -> None:
    """Several processes have no calls and no limit in common, so that neither may matter."""
    behaviour = _behaviour(options)
    if options.processes > 1 and (behaviour.random or behaviour.requests_per_minute):
        raise SettingsError("several processes have neither chance nor a rate limit")
    if options.processes > 1 and not options.port:
        raise SettingsError("several processes need a port that is given")


def _behaviour(options: argparse.Namespace) -> Behaviour:
    return Behaviour().changed(dict(map(_assignment, options.set)))


def _model_api(options: argparse.Namespace, calls: SharedCounts) -> ModelApi:
    book = AnswerBook(load_questions(options.wheel), synthetic=options.synthetic)
    gc.freeze()  # the book never becomes garbage, so collections need not walk it
    return ModelApi(
        book,
        _behaviour(options),
        log=CallLog(options.call_log) if options.call_log else None,
        api_key=options.api_key_file.read_text().strip() if options.api_key_file else None,
        calls=calls,
    )


def _assignment(text: str) -> tuple[str, object]:
    """A `name=value` pair; the value is JSON.

    >>> _assignment("latency_ms=50")
    ('latency_ms', 50)
    """
    name, _, value = text.partition("=")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="recorded_endpoint", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--processes", type=int, default=1, help="that serve, at fixed latency")
    parser.add_argument("--wheel", type=Path, help="the openfactcheck wheel, else fetched")
    parser.add_argument("--call-log", type=Path, help="append one JSON line per call to this file")
    parser.add_argument("--synthetic", action="store_true", help="make up what was not recorded")
    parser.add_argument("--api-key-file", type=Path, help="file that holds the API key")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a field of Behaviour"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
