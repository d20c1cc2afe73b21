"""What may be said of batches, and what contradicts itself."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from streaming_eval.settings import InconsistentError, Problem
from streaming_eval.settings.batching import BatchSettings


def read(**values: object) -> BatchSettings:
    """As the configuration reads it: strict JSON."""
    return BatchSettings.model_validate_json(json.dumps(values), strict=True)


def problems(**values: object) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        read(**values)
    (error,) = caught.value.errors()
    cause = error["ctx"]["error"]
    assert isinstance(cause, InconsistentError)
    return list(cause.problems)


def test_by_default_batches_end_and_samples_wait_as_the_documentation_says() -> None:
    assert read().model_dump(mode="json") == {
        "deadline": "5m",
        "straggler_after": "5s",
        "straggler_share": 0.05,
        "max_tries": 5,
        "first_pause": "30s",
        "longest_pause": "10m",
        "max_pending": 20_000,
    }


@pytest.mark.parametrize(("first", "longest"), [("30s", "30s"), ("1s", "2s"), ("10m", "600s")])
def test_pauses_may_grow_or_stay(first: str, longest: str) -> None:
    batches = read(first_pause=first, longest_pause=longest)
    assert batches.first_pause <= batches.longest_pause


@pytest.mark.parametrize(
    ("values", "first"),
    [
        ({"first_pause": "1m", "longest_pause": "59s"}, "1m"),
        ({"longest_pause": "29s"}, "30s"),
        ({"first_pause": "11m"}, "11m"),
    ],
)
def test_a_longest_pause_that_is_shorter_than_the_first_is_named_with_what_would_do(
    values: dict[str, str], first: str
) -> None:
    wrong = f"shorter than first_pause, which is {first}"
    assert problems(**values) == [Problem(("longest_pause",), wrong, f"at least {first}")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("straggler_share", -0.01),
        ("straggler_share", 0.51),
        ("max_tries", 0),
        ("max_tries", 101),
        ("max_pending", 0),
        ("deadline", 300),
        ("patience", "1s"),
    ],
)
def test_what_is_out_of_range_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        read(**{key: value})
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]


@pytest.mark.parametrize(
    ("key", "value"), [("straggler_share", 0), ("straggler_share", 0.5), ("max_tries", 1)]
)
def test_the_ends_of_the_ranges_are_allowed(key: str, value: float) -> None:
    assert getattr(read(**{key: value}), key) == value
