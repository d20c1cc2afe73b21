"""The size of a batch from the offsets that Spark has written down for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streaming_eval.adapters.batch_size import batch_records

MOST = 8_000


def note(checkpoint: Path, batch_id: int, offsets: object) -> None:
    path = checkpoint / "offsets" / str(batch_id)
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["v1", '{"batchWatermarkMs":0}', json.dumps(offsets)]))


def test_a_batch_has_the_records_between_its_offsets_and_those_before_it(tmp_path: Path) -> None:
    note(tmp_path, 6, {"samples": {"0": 100, "1": 90}})
    note(tmp_path, 7, {"samples": {"0": 776, "1": 90}})
    assert batch_records(tmp_path, 7, MOST) == 676


def test_a_new_partition_begins_at_0(tmp_path: Path) -> None:
    note(tmp_path, 6, {"samples": {"0": 100}})
    note(tmp_path, 7, {"samples": {"0": 110, "1": 5}})
    assert batch_records(tmp_path, 7, MOST) == 15


def test_a_first_batch_is_taken_to_be_as_large_as_it_can_be(tmp_path: Path) -> None:
    note(tmp_path, 0, {"samples": {"0": 100}})
    assert batch_records(tmp_path, 0, MOST) == MOST


def test_a_batch_is_never_larger_than_it_can_be(tmp_path: Path) -> None:
    note(tmp_path, 6, {"samples": {"0": 0}})
    note(tmp_path, 7, {"samples": {"0": 10**9}})
    assert batch_records(tmp_path, 7, MOST) == MOST


@pytest.mark.parametrize("offsets", [None, 7, {"samples": 7}, {"samples": {"0": None}}])
def test_notes_of_another_kind_tell_nothing(tmp_path: Path, offsets: object) -> None:
    note(tmp_path, 6, {"samples": {"0": 0}})
    note(tmp_path, 7, offsets)
    assert batch_records(tmp_path, 7, MOST) == MOST
