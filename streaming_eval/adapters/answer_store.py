"""The driver's side of the cache: what workers spooled becomes rows of `responses`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.adapters.spool import read_spool
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.paid_answer import PaidAnswer


class AnswerStore:
    """Owns the `responses` table and the spool of answers that are not in it yet.

    Args:
        tables: the Delta tables.
        spool: directory with one sub-directory per micro-batch.
        index: this host's index of `responses`.
    """

    def __init__(self, tables: Tables, spool: Path, index: AnswerIndex) -> None:
        self._tables, self._spool, self._index = tables, spool, index
        spool.mkdir(parents=True, exist_ok=True)

    def directory(self, batch_id: int) -> Path:
        """Where the workers of one micro-batch write their answers."""
        return self._spool / f"batch-{batch_id}"

    def commit(self, batch_id: int) -> int:
        """Moves a batch's answers into the table, each key once.

        Returns:
            How many rows were added.
        """
        directory = self.directory(batch_id)
        if not directory.is_dir():
            return 0
        answers = _first_of_each_key(read_spool(directory))
        self._tables.append_untracked("responses", responses_table(answers.values()))
        shutil.rmtree(directory)
        return len(answers)

    def sweep(self) -> int:
        """Moves what earlier runs left in the spool into the table, unless it is there already.

        Returns:
            How many rows were added.
        """
        leftovers = sorted(path for path in self._spool.iterdir() if path.is_dir())
        answers = _first_of_each_key(a for path in leftovers for a in read_spool(path))
        if answers:
            self._index.refresh(self._tables.version("responses"))
            stored = self._index.lookup(list(answers))
            new = [answer for key, answer in answers.items() if key not in stored]
            self._tables.append_untracked("responses", responses_table(new))
            answers = {answer.cache_key: answer for answer in new}
        for path in leftovers:
            shutil.rmtree(path)
        return len(answers)


def responses_table(answers: Iterable[PaidAnswer]) -> pa.Table:
    """Answers as rows with the columns of `RESPONSES`."""
    return pa.Table.from_pylist([_row(answer) for answer in answers], schema=RESPONSES)


def _row(answer: PaidAnswer) -> Mapping[str, object]:
    request, response = json.loads(answer.request), answer.response
    return {
        "cache_key": answer.cache_key,
        "endpoint": request["endpoint"],
        "api": request["api"],
        "model": request["model"],
        "revision": request["revision"],
        "request": answer.request,
        "text": response.text,
        "finish_reason": response.finish_reason,
        "input_tokens": response.usage.input_tokens,
        "output_tokens": response.usage.output_tokens,
        "latency_ms": response.latency_ms,
        "attempts": response.attempts,
        "created_at": response.created_ms * 1_000,
    }


def _first_of_each_key(answers: Iterable[PaidAnswer]) -> dict[str, PaidAnswer]:
    first: dict[str, PaidAnswer] = {}
    for answer in answers:
        first.setdefault(answer.cache_key, answer)
    return first
