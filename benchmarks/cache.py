"""The cache: look-ups in tables of up to ten million answers, hits, and the price in bytes.

`python -m benchmarks.cache --largest 1000000` stops at a million; ten million take 5 GB of disk.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.made_answers import ShortAnswers, answers, request, short_key
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_table import responses_table
from streaming_eval.adapters.cache_stats import cache_stats
from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.with_cache import CachePolicy, with_cache
from streaming_eval.inference.complete import failed
from streaming_eval.records import Request, Response

_SMALL = 100_000
_GOALS = {1_000_000: 1.5, 10_000_000: 3.0}
_LOOKED_UP = 2_000
_PAIRS = 200
_PER_FILE = 500_000
_REAL = 50_000
_HITS = 20_000


def run(
    directory: Path, report: Report, *, quick: bool = False, largest: int = max(_GOALS)
) -> None:
    """P11 up to `largest` answers; then what real ones cost."""
    small_size, unit, real = (1_000, 100, 2_000) if quick else (_SMALL, 1, _REAL)
    small, large = _Cache(directory / "small"), _Cache(directory / "large")
    small.grow(small_size)
    for size, goal in _GOALS.items():
        if size <= largest:
            large.grow(size // unit, report)
            _compare(small, large, goal, report)
    _real_answers(directory / "real", real, report)


class _Cache:
    """A table of short answers and its index, which is filled from the table as it grows."""

    def __init__(self, root: Path) -> None:
        self.size, self._rows, self._draw = 0, ShortAnswers(), np.random.default_rng(0)
        self._tables = Tables(root)
        self._index = AnswerIndex(root / "index" / "answers", self._tables.uri("responses"))

    def grow(self, size: int, report: Report | None = None) -> None:
        """Adds answers up to that many."""
        starts = range(self.size, size, _PER_FILE)
        with ThreadPoolExecutor(1) as writer:
            versions = [
                writer.submit(self._append, start, min(_PER_FILE, size - start)) for start in starts
            ]
            for start, version in zip(starts, versions, strict=True):
                self._index.refresh(version.result())
                if report is not None:
                    report.progress(f"index filled: {min(start + _PER_FILE, size):,} answers")
        self.size = size
        self._index.scrub()

    def look_up(self) -> float:
        """Seconds for 2,000 keys that are there, other ones each time."""
        keys = [short_key(n) for n in self._draw.integers(0, self.size, _LOOKED_UP).tolist()]
        began = time.monotonic()
        found = self._index.lookup(keys)
        seconds = time.monotonic() - began
        assert len(found) == len(set(keys))
        return seconds

    def _append(self, start: int, count: int) -> int:
        self._tables.append_untracked("responses", self._rows.table(start, count))
        return self._tables.version("responses")


def _compare(small: _Cache, large: _Cache, goal: float, report: Report) -> None:
    mine, theirs = interleaved(large.look_up, small.look_up, _PAIRS)
    report.add_ratio(
        "P11",
        f"look-up of {_LOOKED_UP:,} keys: at {large.size:,} answers / at {small.size:,}; "
        f"{_PAIRS} pairs",
        ratio(mine, theirs),
        f"{_ms(mine)} against {_ms(theirs)}",
        most=goal,
    )


def _real_answers(root: Path, count: int, report: Report) -> None:
    """Bytes and hits with questions and answers of some 700 characters together."""
    tables = Tables(root)
    tables.append_untracked("responses", responses_table(answers(0, count)))
    path = root / "index" / "answers"
    index = AnswerIndex(path, tables.uri("responses"))
    began = time.monotonic()
    index.refresh(tables.version("responses"))
    seconds = time.monotonic() - began
    index.scrub()
    index_bytes = sum(file.stat().st_size for file in path.parent.iterdir())
    stats = cache_stats(Path(tables.uri("responses")))
    report.add(
        "cache",
        f"bytes per answer of 400 characters to a question of 300, {count:,} of them: table, index",
        f"{stats.bytes_per_row:.0f}, {index_bytes / count:.0f}",
    )
    report.add("cache", "to take one of them into the index", f"{1e6 * seconds / count:.0f} us")
    requests = [request(n) for n in range(min(_HITS, count))]
    first, again = (asyncio.run(_replay(index, requests)) for _ in range(2))
    report.add(
        "cache",
        "hits of one process, its keys included: from the index, from memory",
        f"{len(requests) / first:,.0f}/s, {len(requests) / again:,.0f}/s",
    )


async def _replay(index: AnswerIndex, requests: list[Request]) -> float:
    """Seconds until all were answered from the cache."""

    async def ask(request: Request) -> Response:
        return failed(PermanentError("not_cached", "every request was to be a hit"))

    policy = CachePolicy.READ_WRITE
    complete = with_cache(ask, lookup=index.get, store=lambda _: None, policy=policy)
    began = time.monotonic()
    for one in requests:
        assert (await complete(one)).cached
    return time.monotonic() - began


def _ms(seconds: list[float]) -> str:
    return f"{1e3 * float(np.median(seconds)):.1f} ms"


def main() -> None:
    """Runs this benchmark alone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache", description=__doc__)
    parser.add_argument("--largest", type=int, default=max(_GOALS), choices=sorted(_GOALS))
    report = Report(Console(width=140))
    with tempfile.TemporaryDirectory(prefix="streaming-eval-bench-") as scratch:
        run(Path(scratch), report, largest=parser.parse_args().largest)
    report.print()


if __name__ == "__main__":
    main()
