"""How many records a micro-batch has, from Spark's own notes and before anything of it is read."""

from __future__ import annotations

import json
from pathlib import Path

Offsets = dict[tuple[str, str], int]


def batch_records(checkpoint: Path, batch_id: int, most: int) -> int:
    """The records of a batch whose offsets are written down, as they are when it begins.

    Offsets without a record, such as those of transaction markers, count as records.

    Args:
        checkpoint: of a query that reads one Kafka source.
        batch_id: its number.
        most: taken where the notes do not tell: of a first batch they only have the end.
    """
    begin, end = _offsets(checkpoint, batch_id - 1), _offsets(checkpoint, batch_id)
    if not begin or not end:
        return most
    return min(most, sum(max(0, to - begin.get(place, 0)) for place, to in end.items()))


def _offsets(checkpoint: Path, batch_id: int) -> Offsets:
    """Where a batch ends: the last line of its file is the source's."""
    try:
        topics = json.loads((checkpoint / "offsets" / str(batch_id)).read_text().split("\n")[-1])
        return {
            (topic, partition): int(offset)
            for topic, partitions in topics.items()
            for partition, offset in partitions.items()
        }
    except (OSError, AttributeError, TypeError, ValueError):
        return {}
