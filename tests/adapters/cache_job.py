"""One job's use of a shared cache, without Spark, to be run as a process of its own."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from streaming_eval.adapters import tables as tables_module
from streaming_eval.adapters.answer_duplicates import remove_duplicates
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.cache_maintenance import Selection, prune
from streaming_eval.adapters.cache_places import CachePlaces
from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.cache.freshness import Freshness
from streaming_eval.inference.cache.with_cache import CachePolicy, with_cache
from streaming_eval.records import Request, Response
from tests.inference.requests import request

BATCHES = 12
BATCH = 60
QUESTIONS = 300


@dataclass(frozen=True)
class Account:
    """What one job did.

    Attributes:
        paid: cache key to the number of calls.
        added: rows that its commits brought.
    """

    paid: Counter[str]
    added: int


class Job:
    """Asks the same questions as every other job, in an order of its own.

    Args:
        root: storage root whose tables are shared.
        name: of the job; its spool and its index are its own.
    """

    def __init__(self, root: Path, name: str, freshness: Freshness | None = None) -> None:
        self._places, self._name = CachePlaces(root), name
        self._freshness = freshness or Freshness()
        self._tables = Tables(root)
        self._index = AnswerIndex(root / name / "answers", self._tables.uri("responses"))
        self._store = AnswerStore(self._tables, root / name / "spool", self._index, freshness)
        self._paid: Counter[str] = Counter()

    def batch(self, number: int, questions: list[int]) -> int:
        """One micro-batch; returns the rows that it brought."""
        self._index.refresh(self._tables.version("responses"))
        with SpoolWriter(self._store.directory(number) / "task.spool") as writer:
            complete = with_cache(
                self._ask,
                lookup=self._index.get,
                store=writer.append,
                policy=CachePolicy.READ_WRITE,
                freshness=self._freshness,
            )
            asyncio.run(_all([complete(request(f"question {n}")) for n in questions]))
        return int(self._store.commit(number).num_rows)

    def run(self) -> Account:
        """All questions once, some twice, with maintenance in between."""
        order = random.Random(self._name)
        questions = order.sample(range(QUESTIONS), QUESTIONS)
        added = 0
        for number in range(BATCHES):
            start = number * BATCH % QUESTIONS
            added += self.batch(number, questions[start : start + BATCH])
            self._store.tend(0)
            if number % 4 == 3:
                self._maintain()
        return Account(self._paid, added)

    def _maintain(self) -> None:
        if self._name < "c":
            remove_duplicates(self._places.responses)
        else:
            prune(self._places, Selection(model="nobody"), duplicates=False, now=False)

    async def _ask(self, asked: Request) -> Response:
        self._paid[cache_key(asked)] += 1
        await asyncio.sleep(0)
        now_ms = time.time_ns() // 1_000_000
        return Response(f"{self._name} says", created_ms=now_ms, latency_ms=1.0, attempts=1)


async def _all(calls: list[object]) -> None:
    await asyncio.gather(*calls)  # type: ignore[call-overload]


def run_job(root: Path, name: str, since_ms: int | None) -> Account:
    """What a process does; it compacts after every few commits."""
    tables_module._COMPACTIONS = ((8, 64 * 1024 * 1024), (4, 1024 * 1024))
    return Job(root, name, Freshness(since_ms=since_ms)).run()
