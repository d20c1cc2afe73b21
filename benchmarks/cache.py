"""The cache: look-ups in large tables, their price in bytes, and commits after many others.

`python -m benchmarks.cache --largest 10000000` goes up to ten million answers (some 8 GB of disk).
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from deltalake import DeltaTable
from rich.console import Console

from benchmarks.ratio import Ratio, interleaved, ratio
from benchmarks.report import Report
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore, responses_table
from streaming_eval.adapters.cache_stats import cache_stats
from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.cache_key import cache_key, canonical, key_of
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.inference.cache.with_cache import CachePolicy, with_cache
from streaming_eval.inference.complete import failed
from streaming_eval.records import Message, Request, Response, Usage

_SMALL = 100_000
_GOALS = {1_000_000: 1.5, 10_000_000: 3.0}
_LOOKED_UP = 2_000
_PER_FILE = 100_000
_COMMITS = 1_000
_PER_COMMIT = 20
_COMMITTED = 1_000
_HITS = 20_000
_WORDS = [f"{w}{n}" for n in range(2_000) for w in ("ka", "lomi", "terasu", "venopilu", "ze")]


def run(directory: Path, report: Report, *, largest: int = 1_000_000, pairs: int = 15) -> None:
    """P11 up to `largest` answers, and P13."""
    small = _Cache(directory / "small", _SMALL)
    for size, goal in _GOALS.items():
        if size <= largest:
            _compare(small, _Cache(directory / str(size), size), goal, report, pairs)
    _hits(small, report)
    _many_commits(directory, report, pairs)


class _Cache:
    """A table with that many answers, compacted, and its index."""

    def __init__(self, root: Path, size: int) -> None:
        self.size, self._draw = size, np.random.default_rng(size)
        self.tables = Tables(root)
        for start in range(0, size, _PER_FILE):
            rows = responses_table(_answers(start, min(_PER_FILE, size - start)))
            self.tables.append_untracked("responses", rows)
        self._path = root / "index" / "answers"
        began = time.monotonic()
        self.index = self.opened()
        self.build_s = time.monotonic() - began
        self.index.scrub()
        files = (root / "index").iterdir()
        self.index_bytes = sum(file.stat().st_size for file in files)

    def opened(self) -> AnswerIndex:
        """The index as another process sees it."""
        index = AnswerIndex(self._path, self.tables.uri("responses"))
        index.refresh(self.tables.version("responses"))
        return index

    def look_up(self) -> float:
        """Seconds for 2,000 keys that are there, other ones each time."""
        numbers = self._draw.integers(0, self.size, _LOOKED_UP).tolist()
        keys = [cache_key(_request(n)) for n in numbers]
        began = time.monotonic()
        found = self.index.lookup(keys)
        seconds = time.monotonic() - began
        assert len(found) == len(set(keys))
        return seconds


def _compare(small: _Cache, large: _Cache, goal: float, report: Report, pairs: int) -> None:
    mine, theirs = interleaved(large.look_up, small.look_up, pairs)
    result = ratio(mine, theirs)
    report.add(
        "P11",
        f"look-up of 2,000 keys: at {large.size:,} answers / at {small.size:,}",
        f"{result}; {_ms(mine)} against {_ms(theirs)}",
        f"<= {goal}",
        met=result.upper <= goal,
    )
    stats = cache_stats(Path(large.tables.uri("responses")))
    report.add(
        "cache",
        f"bytes per answer at {large.size:,}: table, index",
        f"{stats.bytes_per_row:.0f}, {large.index_bytes / large.size:.0f}",
    )
    report.add(
        "cache",
        f"to build the index of {large.size:,} answers",
        f"{large.build_s:.1f} s, {1e6 * large.build_s / large.size:.0f} us each",
    )


def _hits(cache: _Cache, report: Report) -> None:
    """What one process can answer from its index, canonical text and key included."""
    requests = [_request(n) for n in range(_HITS)]

    async def ask(request: Request) -> Response:
        return failed(PermanentError("not_cached", "every request was to be a hit"))

    async def replay(index: AnswerIndex) -> float:
        complete = with_cache(
            ask, lookup=index.get, store=lambda _: None, policy=CachePolicy.READ_WRITE
        )
        began = time.monotonic()
        for request in requests:
            assert (await complete(request)).cached
        return time.monotonic() - began

    index = cache.opened()
    first, again = asyncio.run(replay(index)), asyncio.run(replay(index))
    report.add(
        "cache",
        "hits of one process: from the index, from memory",
        f"{_HITS / first:,.0f}/s, {_HITS / again:,.0f}/s",
    )


def _many_commits(directory: Path, report: Report, pairs: int) -> None:
    used, fresh = _Job(directory / "used"), _Job(directory / "fresh")
    for _ in range(_COMMITS):
        used.commit(_PER_COMMIT)
    _add(
        report, "commit of 1,000 answers", *interleaved(used.full_commit, fresh.full_commit, pairs)
    )
    table = DeltaTable(used.tables.uri("responses"))
    files = len(table.file_uris())
    report.add("P13", "files after that", f"{files}", "<= 200", met=files <= 200)
    table.optimize.compact()
    anew = AnswerIndex(directory / "anew", used.tables.uri("responses"))
    anew.refresh(used.tables.version("responses"))
    _add(report, "look-up of 2,000 keys", *interleaved(used.looker(), used.looker(anew), pairs))


def _add(report: Report, what: str, mine: list[float], theirs: list[float]) -> None:
    result: Ratio = ratio(mine, theirs)
    report.add(
        "P13",
        f"{what}: after {_COMMITS:,} commits / freshly compacted",
        f"{result}; {_ms(mine)} against {_ms(theirs)}",
        "<= 1.5",
        met=result.upper <= 1.5,
    )


class _Job:
    """The driver's side of a job, with maintenance after every batch."""

    def __init__(self, root: Path) -> None:
        self.tables = Tables(root)
        self._index = AnswerIndex(root / "index", self.tables.uri("responses"))
        self._store = AnswerStore(self.tables, root / "spool", self._index)
        self._asked = self._batch = 0

    def commit(self, answers: int) -> float:
        """Seconds to move a batch's answers from the spool into the table."""
        self._batch += 1
        with SpoolWriter(self._store.directory(self._batch) / "task.spool") as writer:
            for answer in _answers(self._asked, answers):
                writer.append(answer)
        self._asked += answers
        began = time.monotonic()
        self._store.commit(self._batch)
        seconds = time.monotonic() - began
        self._store.tend(time.time_ns() // 1_000_000)
        return seconds

    def full_commit(self) -> float:
        return self.commit(_COMMITTED)

    def looker(self, index: AnswerIndex | None = None) -> Callable[[], float]:
        """Looks up 2,000 keys, in this job's index where None."""
        chosen = index or self._index
        chosen.refresh(self.tables.version("responses"))
        draw = np.random.default_rng(7)

        def look_up() -> float:
            numbers: npt.NDArray[np.int64] = draw.integers(0, self._asked, _LOOKED_UP)
            keys = [cache_key(_request(n)) for n in numbers.tolist()]
            began = time.monotonic()
            assert len(chosen.lookup(keys)) == len(set(keys))
            return time.monotonic() - began

        return look_up


def _request(n: int) -> Request:
    words = " ".join(_WORDS[(n * 104_729 + i * i * 37) % len(_WORDS)] for i in range(40))
    return Request(
        endpoint="http://127.0.0.1:8000/v1",
        api="openai_chat",
        model="llama-2-7b",
        messages=(Message("user", f"{n} {words}"),),
        parameters={"temperature": 0},
    )


def _answers(start: int, count: int) -> Iterator[PaidAnswer]:
    """Questions of 40 words and answers of 60, some 700 characters together."""
    for n in range(start, start + count):
        text = canonical(_request(n))
        words = " ".join(_WORDS[(n * 7_919 + i * i * 31) % len(_WORDS)] for i in range(60))
        response = Response(
            words,
            finish_reason="stop",
            usage=Usage(60, 90),
            latency_ms=800.0 + n % 500,
            created_ms=1_700_000_000_000 + n,
            attempts=1,
        )
        yield PaidAnswer(key_of(text), text.decode(), response)


def _ms(seconds: list[float]) -> str:
    return f"{1e3 * float(np.median(seconds)):.1f} ms"


def main() -> None:
    """Runs this benchmark alone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache", description=__doc__)
    parser.add_argument("--largest", type=int, default=1_000_000, choices=sorted(_GOALS))
    report = Report(Console(width=140))
    with tempfile.TemporaryDirectory(prefix="streaming-eval-bench-") as scratch:
        run(Path(scratch), report, largest=parser.parse_args().largest)
    report.print()


if __name__ == "__main__":
    main()
