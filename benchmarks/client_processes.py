"""Two processes that ask the same endpoint and are timed together, whatever client they are.

A client reads one line of JSON (`prompts`, `in_flight`) from standard input, warms up, says
`ready`, waits for `go`, asks everything, says `done` and ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

PROCESSES = 2
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Share:
    """One process's part of the prompts and of the requests in flight."""

    prompts: Sequence[str]
    in_flight: int


def rate(module: str, arguments: Sequence[str], prompts: Sequence[str], in_flight: int) -> float:
    """Requests per second of two processes that share prompts and in-flight limit.

    The clock runs from when both are warm and told to go until the last is done. How long the
    interpreters then take to end, which depends on what they have imported, is not in it.

    Args:
        module: of the client, run as `python -m`.
        arguments: of the client.
        prompts: one request each.
        in_flight: of both together.
    """
    children = [
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for place, child in enumerate(children):
        share = {"prompts": list(prompts[place::PROCESSES]), "in_flight": in_flight // PROCESSES}
        _say(child, json.dumps(share))
    for child in children:
        _expect(child, "ready")
    began = time.monotonic()
    for child in children:
        _say(child, "go")
    for child in children:
        _expect(child, "done")
    seconds = time.monotonic() - began
    for child in children:
        if child.wait() != 0:
            raise RuntimeError(f"{module} failed")
    return len(prompts) / seconds


def serve(
    share: Share, prepare: Callable[[Sequence[str]], T], ask_all: Callable[[T], object]
) -> None:
    """The client's side: warm up, tell, wait, ask, tell."""
    ask_all(prepare([f"warm {uuid.uuid4()}" for _ in range(share.in_flight)]))
    work = prepare(share.prompts)
    print("ready", flush=True)
    sys.stdin.readline()
    ask_all(work)
    print("done", flush=True)


def read_share() -> Share:
    """What the parent wants of this process."""
    return Share(**json.loads(sys.stdin.readline()))


def _expect(child: subprocess.Popen[str], word: str) -> None:
    """Waits until the client says so.

    Raises:
        RuntimeError: it said something else, or nothing, because it has ended.
    """
    assert child.stdout is not None
    said = child.stdout.readline().strip()
    if said != word:
        raise RuntimeError(f"a client said {said!r}, not {word!r}")


def _say(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()
