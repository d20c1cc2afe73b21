"""What vectors say of texts, against the definition and numpy's own arithmetic."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.records import ScoreStatus
from streaming_eval.scoring import define, evaluation_version
from streaming_eval.scoring.embedding_similarity import comparable, embedding_similarity

NUMBERS = st.floats(-1e6, 1e6, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6)
VECTORS = st.lists(NUMBERS, min_size=3, max_size=3).filter(any)


def similarity(response: object, *targets: object) -> float | None:
    return embedding_similarity(json.dumps(response), [*map(json.dumps, targets)]).value


@given(VECTORS, st.lists(VECTORS, min_size=1, max_size=4))
def test_it_is_the_cosine_of_the_nearest_target_where_negative_0(
    response: list[float], targets: list[list[float]]
) -> None:
    one = np.array(response)
    cosines = [
        float(one @ np.array(t) / (np.linalg.norm(one) * np.linalg.norm(t))) for t in targets
    ]
    found = similarity(response, *targets)
    assert found == pytest.approx(max(0.0, *cosines), abs=1e-9)
    assert found is not None
    assert 0.0 <= found <= 1.0


def test_equal_directions_are_1_whatever_the_length() -> None:
    assert similarity([0.1, 0.2, 0.3], [1, 2, 3]) == pytest.approx(1.0)
    assert similarity([3e38, 3e38], [1e-30, 1e-30]) == pytest.approx(1.0)


def test_right_angles_and_beyond_are_0() -> None:
    assert similarity([1, 0], [0, 1]) == 0.0
    assert similarity([1, 0], [-1, 0]) == 0.0


@pytest.mark.parametrize(
    ("response", "target", "error"),
    [
        ("[1,2]", "[1,2,3]", "vectors_differ_in_size"),
        ("[0,0]", "[1,2]", "vector_not_usable"),
        ("[1,2]", "[0.0,-0.0]", "vector_not_usable"),
        ("[1,null]", "[1,2]", "vector_not_usable"),
        ("[[1,2]]", "[1,2]", "vector_not_usable"),
        ("[]", "[]", "vector_not_usable"),
        ("Because.", "[1,2]", "vector_not_usable"),
        ('{"a":1}', "[1,2]", "vector_not_usable"),
        ('["a","b"]', "[1,2]", "vector_not_usable"),
        ("1", "1", "vector_not_usable"),
    ],
)
def test_what_cannot_be_compared_is_no_score(response: str, target: str, error: str) -> None:
    for score in (
        embedding_similarity(response, [target]),
        embedding_similarity(response, [response, target]),
    ):
        assert (score.value, score.status) == (None, ScoreStatus.UNPARSABLE)
        assert score.error in (error, "vector_not_usable")
    assert embedding_similarity(response, [target]).error == error


def test_one_target_that_cannot_be_compared_is_no_score_as_it_might_be_the_nearest() -> None:
    assert embedding_similarity("[1,0]", ["[1,0]", "[0,0]"]).value is None
    assert embedding_similarity("[1,0]", ["[1,0]", "[1]"]).value is None


def test_blank_and_repeated_targets_are_not_asked_about() -> None:
    assert comparable(("a", " ", "b", "", "a", "\n")) == ("a", "b")


def test_its_definition_declares_range_direction_and_grid() -> None:
    definition = define("embedding_similarity", "near")
    assert (definition.low, definition.high, definition.higher_is_better) == (0.0, 1.0, True)
    assert (definition.levels, definition.needs_target) == (65, True)
    assert evaluation_version(definition) != evaluation_version(define("token_f1", "near"))
