"""Erasing answers for good: from the table, the index, the spool and what quotes them.

A judge's request quotes the answer that it grades, so it is erased along with it, and the judge's
words (`scores.explanation`) are erased with the judge's answer. Scores keep their values, which the
statistics were computed from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_removal import (
    Find,
    files_of,
    find_rows,
    numbered,
    remove_rows,
)
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.cache_lease import alone, writing
from streaming_eval.adapters.cache_maintenance import delete_dead_files, forget
from streaming_eval.adapters.cache_places import CachePlaces
from streaming_eval.adapters.checkpoint import lease
from streaming_eval.adapters.explanations import clear_explanations, links
from streaming_eval.adapters.schemas import STATISTICS
from streaming_eval.adapters.stream_progress import has_unread_rows
from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import StorageError

_STATISTICS = "delta.dataSkippingStatsColumns"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be erased: everything that is named in any of these ways.

    Attributes:
        keys: cache keys.
        samples: ids of samples, whose answers are erased.
        before_ms: epoch milliseconds; answers that arrived earlier.
    """

    keys: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    before_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Affected:
    """What an erasure reaches.

    Attributes:
        keys: cache keys of the answers and of the judges' answers that quote them.
        answers: rows of `responses`.
        explanations: rows of `scores` that lose the judge's words.
        other_samples: samples that were not named and whose scores came from these answers.
        unknown_samples: samples that were named and have no scores.
    """

    keys: pa.Array
    answers: int
    explanations: int
    other_samples: int
    unknown_samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased; `files_deleted` is None where the files still hold it."""

    affected: Affected
    files_deleted: int | None


def affected(places: CachePlaces, wanted: Wanted) -> Affected:
    """What `erase` would reach now.

    Raises:
        StorageError: there is no cache.
    """
    places.check()
    keys = set(wanted.keys) | _older_keys(places, wanted.before_ms)
    known = _add_keys(places, keys, "sample_id", pa.array(wanted.samples, pa.string()))
    _add_keys(places, keys, "cache_key", _array(keys))
    return _counted(places, wanted, _array(keys), known)


def erase(places: CachePlaces, wanted: Wanted, *, now: bool) -> Erased:
    """Erases answers and what quotes them; no job may use the cache meanwhile.

    Args:
        places: where the cache and the scores lie.
        wanted: what to erase.
        now: also delete the files that hold it; else they are dead and go with the daily clean-up.

    Raises:
        StorageError: there is no cache, a job is running, or `now` is asked for while the monitor
            has not read all scores, whose files it needs.
    """
    places.check()
    with _stopped(places):
        for name, table in _tables(places).items():
            _keep_texts_out_of_the_log(table, name)
        _sweep(places)
        with alone(places.responses):
            if now:
                _check_monitor(places)
            return _erase(places, affected(places, wanted), now)


def _erase(places: CachePlaces, reached: Affected, now: bool) -> Erased:
    if reached.explanations:
        clear_explanations(places.scores, reached.keys)
    remove_rows(places.responses, _find(reached.keys))
    forget(places)
    deleted = sum(map(delete_dead_files, _tables(places).values())) if now else None
    return Erased(reached, deleted)


def _find(keys: pa.Array) -> Find:
    return find_rows(["cache_key"], lambda batch: pc.is_in(batch["cache_key"], keys))


def _tables(places: CachePlaces) -> dict[str, Path]:
    """The tables that hold what models said."""
    tables = {"responses": places.responses}
    return tables | {"scores": places.scores} if places.has_scores() else tables


def _keep_texts_out_of_the_log(path: Path, name: str) -> None:
    """From now on the table's log notes no smallest and largest text of its files."""
    table, columns = DeltaTable(str(path)), ",".join(STATISTICS[name])
    if table.metadata().configuration.get(_STATISTICS) != columns:
        with writing(path):
            table.alter.set_table_properties({_STATISTICS: columns})


@contextmanager
def _stopped(places: CachePlaces) -> Iterator[None]:
    """Keeps the job of this root from running meanwhile."""
    with ExitStack() as stack:
        try:
            stack.enter_context(lease(places.root))
        except StorageError as error:
            raise StorageError(
                f"answers are erased while no job runs, which could write them again: {error}"
            ) from None
        yield


def _sweep(places: CachePlaces) -> None:
    """Moves what a killed job left in the spool into the table, where it can be found."""
    if not any(places.spool.glob("*/*")):
        return
    tables = Tables(places.root, places={"responses": places.responses})
    index = AnswerIndex(places.index, tables.uri("responses"))
    store = AnswerStore(tables, places.spool, index)
    try:
        store.sweep()
    finally:
        store.close()
        index.close()


def _check_monitor(places: CachePlaces) -> None:
    """Makes sure that the monitor needs no file of `scores` that is about to be deleted."""
    if places.has_scores() and has_unread_rows(places.monitor, places.scores):
        raise StorageError(
            f"the monitor has not read all of {places.scores} and still needs files that --now "
            "would delete; run the job until it is idle (streaming-eval run --stop-when-idle 30s), "
            "or erase without --now"
        )


def _older_keys(places: CachePlaces, before_ms: int | None) -> set[str]:
    if before_ms is None:
        return set()
    instant = pa.scalar(before_ms * 1_000, pa.timestamp("us", "UTC"))
    found: set[str] = set()
    for _, batch in numbered(files_of(places.responses), ["cache_key", "created_at"]):
        older = pc.less(batch["created_at"], instant)
        found.update(batch["cache_key"].filter(older).drop_null().to_pylist())
    return found


def _add_keys(places: CachePlaces, keys: set[str], column: str, values: pa.Array) -> set[str]:
    """Adds the keys in the rows of `scores` whose column has one of the values.

    Returns:
        The samples of these rows.
    """
    samples: set[str] = set()
    for batch in _links(places, column, values):
        samples.update(batch["sample_id"].to_pylist())
        for name in ("cache_key", "judge_cache_key"):
            keys.update(batch[name].drop_null().to_pylist())
    return samples


def _counted(places: CachePlaces, wanted: Wanted, keys: pa.Array, known: set[str]) -> Affected:
    """How much hangs on these keys."""
    others: set[str] = set()
    explanations = 0
    for column in ("cache_key", "judge_cache_key"):
        for batch in _links(places, column, keys):
            others.update(batch["sample_id"].to_pylist())
            if column == "judge_cache_key":
                explanations += batch.num_rows - batch["explanation"].null_count
    named = set(wanted.samples)
    return Affected(
        keys=keys,
        answers=len(_find(keys)(files_of(places.responses))),
        explanations=explanations,
        other_samples=len(others - named),
        unknown_samples=tuple(sorted(named - known)),
    )


def _links(places: CachePlaces, column: str, values: pa.Array) -> Iterator[pa.RecordBatch]:
    """The rows of `scores` whose column has one of the values."""
    if len(values) and places.has_scores():
        for batch in links(places.scores):
            yield batch.filter(pc.is_in(batch[column], values))


def _array(keys: set[str]) -> pa.Array:
    return pa.array(sorted(keys), pa.string())
