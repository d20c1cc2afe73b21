"""The driver's side of the cache: what workers spooled becomes rows of `responses`."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson
import pyarrow as pa

from streaming_eval.adapters.answer_duplicates import remove_duplicates, row_count
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.attempt_turn import close_batch, open_batch
from streaming_eval.adapters.cache_lease import CacheLease, writing
from streaming_eval.adapters.cache_members import CacheMember
from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.adapters.spool import list_files, read_file, read_spool
from streaming_eval.adapters.tables import Tables
from streaming_eval.adapters.task_spool import LATE
from streaming_eval.errors import StorageError
from streaming_eval.inference.cache.freshness import Freshness, newest_of_each_key, supersedes
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.records import Response

_LOG = logging.getLogger(__name__)
_COMMITS_BETWEEN_LOOKS = 1_000
_SUPERSEDED_AT_LEAST = 1_000
_SUPERSEDED_SHARE = 0.1
_KEPT_MS = 2 * 86_400_000
_OF_THE_REQUEST = ("endpoint", "api", "model", "revision")
_OF_THE_RESPONSE = ("text", "finish_reason", "latency_ms", "attempts")


class AnswerStore:
    """Owns the spool of answers that are not in the `responses` table yet, and adds them to it.

    Several jobs may share one table. An answer is added only if the table has none by then that
    would have been a hit, so the answer that came first stays the one that scores are computed
    from, until it is too old. This is certain, because jobs take turns in writing.

    Args:
        tables: the Delta tables.
        spool: directory with one sub-directory per micro-batch.
        index: this host's index of `responses`.
        freshness: what the workers' look-ups go by.
        job: who pays, noted with every answer.

    Raises:
        StorageError: somebody is cleaning the table.
    """

    def __init__(
        self,
        tables: Tables,
        spool: Path,
        index: AnswerIndex,
        freshness: Freshness | None = None,
        *,
        job: str = "",
    ) -> None:
        self._tables, self._spool, self._index, self._job = tables, spool, index, job
        self._freshness = freshness or Freshness()
        self._responses = Path(tables.uri("responses"))
        self._lease = CacheLease(self._responses)
        self._written = -1  # the version that this object's last commit left behind
        self._tended = tables.version("responses")
        spool.mkdir(parents=True, exist_ok=True)
        self._member = CacheMember(self._responses, spool)

    def directory(self, batch: int | str) -> Path:
        """Where the workers of one micro-batch write their answers."""
        return self._spool / f"batch-{batch}"

    def opened(self, batch: int | str) -> Path:
        """The same, made and open for attempts at tasks until it is committed."""
        directory = self.directory(batch)
        open_batch(directory)
        return directory

    def commit(self, batch: int | str) -> pa.Table:
        """Moves a batch's answers into the table, each key once.

        Returns:
            The rows that were added, with the columns of `RESPONSES`.
        """
        directory = self.directory(batch)
        return self._move([directory] if directory.is_dir() else [], looked_up=True)

    def commit_late(self) -> pa.Table:
        """Moves answers into the table whose batch had ended before they came.

        Returns:
            The rows that were added, with the columns of `RESPONSES`.
        """
        files = list_files(self._spool / LATE)
        rows = self._add_all((a for f in files for a in read_file(f).answers), looked_up=False)
        for file in files:
            file.unlink()
        return rows

    def sweep(self) -> int:
        """Moves what earlier runs left in the spool into the table, unless it is there already.

        Returns:
            How many rows were added.
        """
        late = self.commit_late()
        leftovers = (path for path in self._spool.iterdir() if path.is_dir() and path.name != LATE)
        return int(late.num_rows + self._move(sorted(leftovers), looked_up=False).num_rows)

    def tend(self, now_ms: int) -> None:
        """Compacts the table, and now and then removes superseded answers if there are many.

        Those of the last days stay, since their price still counts against the budget of the day.

        Args:
            now_ms: wall clock, epoch milliseconds.
        """
        with writing(self._responses):
            self._tables.tend(["responses"])
        version = self._tables.version("responses")
        if version - self._tended < _COMMITS_BETWEEN_LOOKS:
            return
        self._tended = version
        self._index.refresh(version)
        rows = row_count(self._responses)
        if rows - len(self._index) >= max(_SUPERSEDED_AT_LEAST, _SUPERSEDED_SHARE * rows):
            try:
                remove_duplicates(self._responses, now_ms - _KEPT_MS)
            except StorageError as error:
                _LOG.warning("superseded answers were not removed, which is tried again: %s", error)

    def close(self) -> None:
        """Lets others have the table for themselves; nothing may be committed afterwards."""
        self._member.release()
        self._lease.release()

    def _move(self, directories: Sequence[Path], *, looked_up: bool) -> pa.Table:
        for place in directories:
            close_batch(place)
        spooled = (answer for place in directories for answer in read_spool(place))
        rows = self._add_all(spooled, looked_up=looked_up)
        for place in directories:
            _remove(place)
        return rows

    def _add_all(self, spooled: Iterable[PaidAnswer], *, looked_up: bool) -> pa.Table:
        answers = newest_of_each_key(spooled)
        if not answers:
            return RESPONSES.empty_table()
        with writing(self._responses):
            return self._add(answers, looked_up=looked_up)

    def _add(self, answers: dict[str, PaidAnswer], *, looked_up: bool) -> pa.Table:
        """Appends those of the answers that are still wanted, and returns their rows.

        Where `looked_up`, workers asked only for what was not there after our last commit.
        """
        version = self._tables.version("responses")
        if not looked_up or version != self._written:  # somebody else may have written since
            self._index.refresh(version)
            stored = self._index.lookup(answers)
            answers = {k: a for k, a in answers.items() if self._wanted(a, stored.get(k))}
        rows = responses_table(answers.values(), self._job)
        self._tables.append_untracked("responses", rows)
        self._written = version + bool(answers)
        return rows

    def _wanted(self, answer: PaidAnswer, stored: Response | None) -> bool:
        if stored is None:
            return True
        new = answer.response
        return supersedes(new, stored) and not self._freshness.holds(
            stored.created_ms, new.created_ms
        )


def _remove(directory: Path) -> None:
    try:
        shutil.rmtree(directory)
    except OSError as error:  # an attempt that comes too late has just made its file there
        _LOG.warning("%s is left until the next start: %s", directory, error)


def responses_table(answers: Iterable[PaidAnswer], job: str = "") -> pa.Table:
    """Answers that a job paid for, as rows with the columns of `RESPONSES`."""
    rows = list(answers)
    asked = [orjson.loads(answer.request) for answer in rows]
    given = [answer.response for answer in rows]
    columns = {
        "cache_key": [answer.cache_key for answer in rows],
        **{name: [request[name] for request in asked] for name in _OF_THE_REQUEST},
        "request": [answer.request for answer in rows],
        **{name: [getattr(response, name) for response in given] for name in _OF_THE_RESPONSE},
        "input_tokens": [response.usage.input_tokens for response in given],
        "output_tokens": [response.usage.output_tokens for response in given],
        "created_at": [response.created_ms * 1_000 for response in given],
        "job": [job] * len(rows),
    }
    arrays = [pa.array(columns[field.name], field.type) for field in RESPONSES]
    return pa.Table.from_arrays(arrays, schema=RESPONSES)
