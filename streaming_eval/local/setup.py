"""What `make setup` does once the package is installed: looks for Java, fetches what is needed."""

from __future__ import annotations

import sys

from streaming_eval.adapters.jars import fetch, jar_cache, read_lock
from streaming_eval.adapters.java import find_java
from streaming_eval.errors import StreamingEvalError
from streaming_eval.local.dataset import fetch_wheel

_USAGE = "usage: python -m streaming_eval.local.setup java | downloads"


def main(arguments: list[str]) -> int:
    """Runs one step; returns the exit code, 1 after a sentence about what is missing."""
    steps = {"java": _java, "downloads": _downloads}
    step = steps.get(" ".join(arguments))
    if step is None:
        _say(_USAGE)
        return 2
    try:
        step()
    except StreamingEvalError as error:
        _say(str(error))
        return 1
    return 0


def _java() -> None:
    _say(f"Java: {find_java()}")


def _downloads() -> None:
    for name in ("spark", "kafka"):
        jars = read_lock(name)
        fetch(jars, jar_cache(), _say)
        _say(f"{name}: {len(jars.checksums)} jars in {jar_cache() / jars.identity}")
    _say(f"recorded answers: {fetch_wheel()}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
