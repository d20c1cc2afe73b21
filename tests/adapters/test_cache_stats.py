from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from streaming_eval.adapters.cache_places import CachePlaces
from streaming_eval.adapters.cache_stats import CacheStats, ModelAnswers, cache_stats
from streaming_eval.errors import StorageError
from tests.adapters.indexed import later, responses
from tests.adapters.responses_data import CREATED, Responses, row

__all__ = ["responses"]  # a fixture


def test_an_empty_cache_has_figures_too(responses: Responses) -> None:
    assert cache_stats(Path(responses.uri)) == CacheStats(0, 0, 0, 0, 0, None, ())


def test_answers_are_counted_by_endpoint_model_and_revision(responses: Responses) -> None:
    other = {"model": "other", "revision": "r1"}
    responses.append_rows([row(1), row(2), later(2, 60, "new")])
    responses.append_rows([row(n) | other for n in (10, 20)])
    responses.append_rows([row(3) | other | {"output_tokens": 7, "latency_ms": None}])
    found = cache_stats(Path(responses.uri))
    usual, rare = found.models
    assert usual == ModelAnswers(
        endpoint="http://127.0.0.1:8000/v1",
        model="llama-2-7b",
        revision="",
        answers=3,
        input_tokens=5,
        output_tokens=0,
        latency_s=0.006,
        oldest=CREATED.isoformat(),
        newest=(CREATED + timedelta(seconds=60)).isoformat(),
    )
    assert (rare.model, rare.revision, rare.answers) == ("other", "r1", 3)
    assert (rare.input_tokens, rare.output_tokens, rare.latency_s) == (33, 7, 0.031)
    assert (found.rows, found.keys, found.superseded) == (6, 5, 1)


def test_size_is_that_of_the_files_in_use(responses: Responses) -> None:
    for start in (0, 100):
        responses.append(range(start, start + 100))
    found = cache_stats(Path(responses.uri))
    size = sum(file.stat().st_size for file in responses.files())
    assert (found.files, found.bytes, found.bytes_per_row) == (2, size, round(size / 200, 1))
    responses.table.optimize.compact()
    compacted = cache_stats(Path(responses.uri))
    assert (compacted.files, compacted.rows) == (1, 200)
    assert compacted.bytes < size


def test_a_table_after_a_deletion_by_another_program_is_counted(responses: Responses) -> None:
    responses.append(range(10))
    responses.table.delete("input_tokens < 4")
    assert cache_stats(Path(responses.uri)).keys == 6


def test_a_shared_table_may_lie_anywhere(responses: Responses, tmp_path: Path) -> None:
    places = CachePlaces(tmp_path / "job", Path(responses.uri))
    places.check()
    assert places.responses == Path(responses.uri)
    assert CachePlaces(tmp_path).responses == tmp_path / "tables" / "responses"


def test_no_table_is_no_cache(responses: Responses) -> None:
    with pytest.raises(StorageError, match=r"storage\.root says where"):
        CachePlaces(Path(responses.uri).parents[1] / "elsewhere").check()
