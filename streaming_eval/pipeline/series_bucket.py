"""Many series under one key of Spark's state store, as one text: one read, one write for them all.

Each look into the state is a round trip from Python to the JVM, and so is each timer and each key
that Spark sets; with a key per series they take longer than the arithmetic. A line of the text is
one series: its key and when it wants to be woken, as JSON, then a tab, then its state as JSON. What
is not touched is copied, never read, so the text of an unknown layout cannot be misread either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

# A bucket is written whole when one of its series changes; fewer buckets write more, more buckets
# ask more often. Spark finds a bucket's state by this number: another one is another layout.
BUCKETS = 256


def bucket_of(series_key: str) -> int:
    """Which bucket holds a series, 0 to 255."""
    return crc32(series_key.encode()) % BUCKETS


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """One series as it is stored.

    Attributes:
        wake_ms: event times at which it must be looked at though nothing comes.
        state: packed.
    """

    wake_ms: frozenset[int]
    state: str


def read_bucket(text: str) -> dict[str, StoredSeries]:
    r"""The series of a bucket, by key.

    >>> read_bucket('["a|b", 5, 7]\t{}\n')
    {'a|b': StoredSeries(wake_ms=frozenset({5, 7}), state='{}')}
    """
    found = {}
    for line in text.split("\n"):
        if line:
            header, _, state = line.partition("\t")
            key, *wake_ms = json.loads(header)
            found[key] = StoredSeries(frozenset(wake_ms), state)
    return found


def bucket_text(series: Mapping[str, StoredSeries]) -> str:
    """The text that `read_bucket` reads; JSON holds neither tabs nor line feeds as they are."""
    return "".join(
        f"{json.dumps([key, *sorted(one.wake_ms)])}\t{one.state}\n" for key, one in series.items()
    )
