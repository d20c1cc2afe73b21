"""The rate of a batch outlives the process that decided it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_eval.adapters.batch_rate import BatchRate
from streaming_eval.errors import StorageError


def never() -> float:
    raise AssertionError("the rate was decided again")


def test_a_batch_that_is_begun_again_keeps_its_rate(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "score.rate.json"
    assert BatchRate(path).fixed(7, lambda: 0.1) == 0.1
    assert BatchRate(path).fixed(7, never) == 0.1


def test_another_batch_has_a_rate_of_its_own(tmp_path: Path) -> None:
    rates = BatchRate(tmp_path / "rate.json")
    assert [rates.fixed(7, lambda: 0.1), rates.fixed(8, lambda: 1 / 3)] == [0.1, 1 / 3]
    assert rates.fixed(8, never) == 1 / 3
    assert rates.fixed(0, lambda: 0.5) == 0.5


def test_a_kill_while_it_is_written_leaves_the_rate_before_it(tmp_path: Path) -> None:
    rates = BatchRate(tmp_path / "rate.json")
    rates.fixed(7, lambda: 0.1)
    (tmp_path / "rate.partial").write_text('{"batch_')
    assert rates.fixed(7, never) == 0.1
    assert rates.fixed(8, lambda: 0.2) == 0.2


@pytest.mark.parametrize("text", ["", "[]", '{"batch_id": 7}', '{"batch_id": "x", "rate": 1}'])
def test_a_file_that_is_no_rate_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rate.json"
    path.write_text(text)
    with pytest.raises(StorageError, match=r"rate\.json is no sampling rate; delete it"):
        BatchRate(path).fixed(7, never)


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Not a directory"):
        BatchRate(tmp_path / "file" / "rate.json").fixed(7, lambda: 1.0)
