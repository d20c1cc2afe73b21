"""Answers that are not wanted any more are removed; all others stay, whoever is at work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from streaming_eval.adapters.cache_lease import CacheLease, writing
from streaming_eval.adapters.cache_maintenance import (
    Pruned,
    Selection,
    forget,
    prune,
    would_prune,
)
from streaming_eval.adapters.cache_places import CachePlaces
from streaming_eval.errors import StorageError
from tests.adapters.cached_root import CachedRoot, answers, keys
from tests.adapters.indexed import later
from tests.adapters.responses_data import CREATED, key, row

CREATED_MS = int(CREATED.timestamp() * 1_000)
YESTERDAY = (CREATED - timedelta(days=1)).replace(microsecond=0)
YESTERDAY_MS = int(YESTERDAY.timestamp() * 1_000)
ODD = 'it\'s "odd"; --'


@pytest.fixture
def cached(tmp_path: Path) -> CachedRoot:
    """Answers 0 to 5, of different models, endpoints, revisions and age."""
    cached = CachedRoot(tmp_path)
    cached.answered(
        row(0),
        row(1) | {"model": ODD},
        row(2) | {"endpoint": "http://elsewhere/v1"},
        row(3) | {"revision": "r1"},
        row(4) | {"revision": "r1", "model": ODD},
        row(5) | {"created_at": YESTERDAY},
    )
    return cached


SELECTIONS: list[tuple[Selection, set[int]]] = [
    (Selection(), set()),
    (Selection(before_ms=YESTERDAY_MS), set()),
    (Selection(before_ms=YESTERDAY_MS + 1), {5}),
    (Selection(before_ms=CREATED_MS), {5}),
    (Selection(before_ms=CREATED_MS + 1), {0, 1, 2, 3, 4, 5}),
    (Selection(model=ODD), {1, 4}),
    (Selection(endpoint="http://elsewhere/v1"), {2}),
    (Selection(revision="r1"), {3, 4}),
    (Selection(revision=""), {0, 1, 2, 5}),
    (Selection(revision="r1", model=ODD), {4}),
    (Selection(before_ms=CREATED_MS, model=ODD), set()),
    (Selection(model="no such model"), set()),
]


@pytest.mark.parametrize(("selection", "gone"), SELECTIONS, ids=str)
def test_exactly_what_is_selected_is_removed_from_table_and_index(
    cached: CachedRoot, selection: Selection, gone: set[int]
) -> None:
    cached.index().close()
    announced = would_prune(cached.places, selection, duplicates=False)
    assert cached.stored_keys() == keys(range(6)), "a dry run changes nothing"
    done = prune(cached.places, selection, duplicates=False, now=False)
    assert done == announced == Pruned(len(gone), 0)
    assert cached.stored_keys() == keys(set(range(6)) - gone)
    assert set(cached.index().lookup(keys(range(6)))) == cached.stored_keys()


def test_replaced_answers_are_removed_on_request(cached: CachedRoot) -> None:
    cached.answered(later(0, 60, "new"), later(1, 60, "new"))
    for duplicates, expected in ((False, Pruned(0, 0)), (True, Pruned(0, 2))):
        assert would_prune(cached.places, Selection(), duplicates=duplicates) == expected
        assert prune(cached.places, Selection(), duplicates=duplicates, now=False) == expected
    assert cached.index().get(key(0)).text == "new"  # type: ignore[union-attr]
    assert would_prune(cached.places, Selection(), duplicates=True) == Pruned(0, 0)


def test_the_files_stay_until_they_are_to_be_deleted_now(tmp_path: Path) -> None:
    cached = CachedRoot(tmp_path)
    cached.answered(*answers(1, 2))
    cached.index().close()
    oldest = Selection(before_ms=CREATED_MS + 1)
    assert prune(cached.places, oldest, duplicates=False, now=False).files_deleted is None
    assert "secret 1." in cached.everything()
    assert prune(cached.places, oldest, duplicates=False, now=True).files_deleted == 1
    assert not list(cached.places.responses.glob("*.parquet"))


def test_files_that_an_interrupted_program_left_are_deleted_too(cached: CachedRoot) -> None:
    orphan = cached.places.responses / "part-of-nothing.parquet"
    orphan.write_text("left behind")
    prune(cached.places, Selection(), duplicates=False, now=True)
    assert not orphan.exists()
    assert cached.stored_keys() == keys(range(6))


def test_files_are_not_deleted_while_a_job_runs(cached: CachedRoot) -> None:
    running = CacheLease(cached.places.responses)
    with pytest.raises(StorageError, match="in use by a running job"):
        prune(cached.places, Selection(model=ODD), duplicates=False, now=True)
    assert cached.stored_keys() == keys(range(6)), "nothing is half done"
    assert prune(cached.places, Selection(model=ODD), duplicates=False, now=False).answers == 2
    running.release()
    assert prune(cached.places, Selection(revision="r1"), duplicates=False, now=True).answers == 1


def test_a_job_that_commits_all_the_time_loses_nothing_and_stops_no_pruning(
    cached: CachedRoot,
) -> None:
    stop, numbers = threading.Event(), set[int]()

    def job() -> None:
        mine = CachedRoot(cached.places.root)
        for n in range(100, 1_000):
            with writing(cached.places.responses):
                mine.tables.version("responses")
                mine.answered(row(n))
            numbers.add(n)
            if stop.is_set():
                return

    thread = threading.Thread(target=job)
    thread.start()
    for model in (ODD, "no such model", "another"):
        prune(cached.places, Selection(model=model), duplicates=True, now=False)
    stop.set()
    thread.join()
    assert cached.stored_keys() == keys({0, 2, 3, 5} | numbers)


def test_an_index_that_is_not_there_is_not_made(cached: CachedRoot) -> None:
    assert forget(cached.places)
    assert not cached.places.index.parent.exists()


@pytest.mark.parametrize("look", [would_prune, lambda *a, **k: prune(*a, now=False, **k)])
def test_where_no_job_has_run_there_is_no_cache(
    tmp_path: Path, look: Callable[..., Pruned]
) -> None:
    with pytest.raises(StorageError, match="there is no cache under"):
        look(CachePlaces(tmp_path / "nothing"), Selection(), duplicates=True)
    assert not (tmp_path / "nothing").exists()
