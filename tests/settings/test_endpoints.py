"""What may be said of an endpoint, and what contradicts itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from streaming_eval.settings import (
    EndpointSettings,
    HedgingSettings,
    InconsistentError,
    Problem,
)


def read(**values: object) -> EndpointSettings:
    """As the configuration reads it: strict JSON."""
    given = {"base_url": "http://localhost/v1", **values}
    return EndpointSettings.model_validate_json(json.dumps(given), strict=True)


def problems(**values: object) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        read(**values)
    (error,) = caught.value.errors()
    cause = error["ctx"]["error"]
    assert isinstance(cause, InconsistentError)
    return list(cause.problems)


def test_by_default_an_endpoint_is_guarded_and_nothing_is_asked_twice() -> None:
    endpoint = read()
    assert endpoint.circuit_breaker.model_dump(mode="json") == {
        "failure_ratio": 0.5,
        "min_attempts": 20,
        "window": "30s",
        "longest_pause": "30s",
        "max_wait": None,
    }
    assert endpoint.hedging == HedgingSettings(enabled=False, after_quantile=0.98, max_extra=0.02)
    assert endpoint.min_in_flight is None, "the limit is fixed"


@pytest.mark.parametrize(
    ("values", "most_open"),
    [
        ({}, 192),
        ({"max_in_flight": 10}, 30),
        ({"max_in_flight": 10, "max_open": 10}, 10),
        ({"max_in_flight": 10, "requests_per_minute": 60}, 10),
        ({"max_in_flight": 10, "tokens_per_minute": 60, "max_open": 15}, 15),
    ],
)
def test_there_is_room_for_stuck_requests_unless_a_quota_is_strict(
    values: dict[str, object], most_open: int
) -> None:
    assert read(**values).most_open == most_open


def test_an_attempt_ends_before_its_deadline() -> None:
    assert read(request_timeout="10s", deadline="10s").request_timeout == 10_000
    assert problems(deadline="10s") == [
        Problem(
            ("request_timeout",),
            "30s is longer than the deadline",
            "a duration above zero, at most 10s, which is `deadline`",
        )
    ]


def test_the_limits_of_requests_at_once_are_in_order() -> None:
    read(min_in_flight=4, max_in_flight=4, max_open=4)
    assert problems(min_in_flight=5, max_in_flight=4, max_open=3) == [
        Problem(("min_in_flight",), "got 5", "a whole number, 1 to 4, which is `max_in_flight`"),
        Problem(("max_open",), "got 3", "a whole number, at least 4, which is `max_in_flight`"),
    ]


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (None, {"min_in_flight": 0}),
        (None, {"max_open": 0}),
        (None, {"latency_tolerance": 1}),
        ("circuit_breaker", {"failure_ratio": 0}),
        ("circuit_breaker", {"failure_ratio": 1.1}),
        ("circuit_breaker", {"min_attempts": 201}),
        ("circuit_breaker", {"window": 30}),
        ("circuit_breaker", {"max_wait": "0s"}),
        ("circuit_breaker", {"enabled": True}),
        ("hedging", {"enabled": "yes"}),
        ("hedging", {"after_quantile": 0.4}),
        ("hedging", {"after_quantile": 1}),
        ("hedging", {"max_extra": 0}),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_key(
    section: str | None, values: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as caught:
        read(**(values if section is None else {section: values}))
    (key,) = values
    assert [error["loc"] for error in caught.value.errors()] == [
        (key,) if section is None else (section, key)
    ]
