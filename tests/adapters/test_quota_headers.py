"""What providers say is left, as they really say it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.adapters.rate_limit_headers import remaining
from streaming_eval.inference.quota.messages import Remaining

NOON = datetime(2025, 6, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("8.64s", 8.64),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("59", 59.0),
        ("0", 0.0),
        ("2025-06-01T12:00:30Z", 30.0),
        ("2025-06-01T14:00:30+02:00", 30.0),
        ("2025-06-01T11:00:00Z", 0.0),
    ],
)
def test_a_reset_is_in_seconds_from_now(reset: str, seconds: float) -> None:
    headers = {"x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": reset}
    found = remaining(headers, "tokens", NOON)
    assert found is not None
    assert found.n == 149_984
    assert found.reset_s == pytest.approx(seconds)
    assert remaining(headers, "requests", NOON) is None


def test_anthropic_says_it_in_its_own_words() -> None:
    headers = {
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2025-06-01T12:00:02Z",
    }
    assert remaining(headers, "requests", NOON) == Remaining(49, 2.0)


@pytest.mark.parametrize(
    "passed_on",
    [
        {
            "x-ratelimit-remaining-requests": "5",
            "llm_provider-x-ratelimit-remaining-requests": "5",
            "llm_provider-x-ratelimit-reset-requests": "10.000s",
        },
        {
            "llm_provider-anthropic-ratelimit-requests-remaining": "5",
            "llm_provider-anthropic-ratelimit-requests-reset": "2025-06-01T12:00:10Z",
        },
    ],
)
def test_a_proxy_passes_on_what_the_provider_behind_it_says(passed_on: dict[str, str]) -> None:
    assert remaining(passed_on, "requests", NOON) == Remaining(5, 10.0)
    own = {"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "20s"}
    assert remaining(passed_on | own, "requests", NOON) == Remaining(9, 20.0), "its own comes first"


@pytest.mark.parametrize("left", ["", "-1", "many", "1e9", "nan", "9" * 40])
def test_a_count_that_is_none_is_not_used(left: str) -> None:
    headers = {"x-ratelimit-remaining-requests": left, "x-ratelimit-reset-requests": "5s"}
    assert remaining(headers, "requests", NOON) is None


@pytest.mark.parametrize("reset", ["", "soon", "-5", "5 s", "5d", "1735689600", "9" * 40 + "s"])
def test_a_reset_that_is_none_is_not_used(reset: str) -> None:
    headers = {"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": reset}
    assert remaining(headers, "requests", NOON) is None


@given(st.text(), st.text())
def test_no_text_whatever_is_an_error(left: str, reset: str) -> None:
    for names in ("x-ratelimit-{}-requests", "anthropic-ratelimit-requests-{}"):
        headers = {names.format("remaining"): left, names.format("reset"): reset}
        found = remaining(headers, "requests", NOON)
        assert found is None or found.reset_s >= 0
