"""Kafka values that must be refused, and odd ones that must not: one corpus for all tests.

Deterministic: the same values in the same order each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from streaming_eval.formats.limits import Limits
from streaming_eval.formats.reasons import DeadLetterReason as Reason
from tests.hostile_fields import refused_fields
from tests.hostile_json import refused_bytes, refused_json
from tests.hostile_records import ID
from tests.odd_but_good import odd_but_good

LIMITS = Limits(
    max_record_bytes=1_048_576, max_segments=32, max_segment_chars=256, max_messages=512
)


@dataclass(frozen=True, slots=True)
class Case:
    """One value, and the reason why it is refused; None where it is a good sample."""

    name: str
    value: bytes | None
    reason: Reason | None


def corpus() -> Iterator[Case]:
    """Every case once: all reasons under `LIMITS`, then the good ones."""
    for refused in (refused_bytes(), refused_json(), refused_fields()):
        for reason, values in refused.items():
            for name, value in values.items():
                yield Case(name, value, reason)
    for name, value in odd_but_good().items():
        yield Case(name, value, None)


def hostile_records(count: int, largest_bytes: int = 900_000) -> list[Case]:
    """So many values that must all become dead letters.

    The corpus over and over, each time with other ids, so that nearly all values differ.

    Args:
        count: how many.
        largest_bytes: larger ones are left out, for brokers that refuse them.
    """
    bad = [case for case in corpus() if case.reason and len(case.value or b"") <= largest_bytes]
    return [_renamed(case, f"hostile-{i:07d}") for i, case in enumerate(islice(cycle(bad), count))]


def odd_good_records(largest_bytes: int = 900_000) -> list[Case]:
    """Values that must all be scored, each with an id of its own."""
    good = [c for c in corpus() if c.reason is None and len(c.value or b"") <= largest_bytes]
    return [_renamed(case, f"odd-{i:011d}") for i, case in enumerate(good)]


def _renamed(case: Case, sample_id: str) -> Case:
    value = case.value and case.value.replace(ID.encode(), sample_id.encode())
    return Case(case.name, value, case.reason)
