"""A `responses` table and indexes of it, as fixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.records import Response
from tests.adapters.responses_data import CREATED, Responses, expected, row

Open = Callable[[], AnswerIndex]


@pytest.fixture
def responses(tmp_path: Path) -> Responses:
    return Responses(tmp_path / "tables with blanks" / "responses")


@pytest.fixture
def index_path(tmp_path: Path) -> Path:
    return tmp_path / "host" / "answers"


@pytest.fixture
def opened(responses: Responses, index_path: Path) -> Iterator[Open]:
    indexes: list[AnswerIndex] = []

    def fresh() -> AnswerIndex:
        indexes.append(AnswerIndex(index_path, responses.uri))
        return indexes[-1]

    yield fresh
    for index in indexes:
        index.close()


def refreshed(index: AnswerIndex, version: int) -> AnswerIndex:
    index.refresh(version)
    return index


def later(n: int, seconds: float, text: str = "answer {n}") -> dict[str, object]:
    """The n-th answer as it came so much later than the others."""
    return row(n, text) | {"created_at": CREATED + timedelta(seconds=seconds)}


def expected_later(n: int, seconds: float, text: str = "answer {n}") -> Response:
    """What the index should say of such a row."""
    usual = expected(n, text)
    return replace(usual, created_ms=usual.created_ms + round(1_000 * seconds))
