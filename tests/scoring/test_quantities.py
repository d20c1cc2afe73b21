"""Lengths and limits: what is counted, and how it lies on the scale."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streaming_eval.records import Message, Response, Sample, Score, ScoreStatus
from streaming_eval.scoring import SCORERS, ScorerDefinition, define, evaluation_version
from streaming_eval.scoring.embedding_cell import Cells, EmbeddedText

ASKED = Sample("s", 0, "assistant", (Message("system", "Be brief."), Message("user", "Größe?")))
ANSWER = Response("10 km²", latency_ms=250.0)
FAILED = Response(None, error="http_500")


def value(definition: ScorerDefinition, response: Response = ANSWER) -> float | None:
    score = SCORERS[definition.kind](ASKED, response, definition)
    return None if score is None else score.value


def test_a_prompt_is_as_long_as_all_its_messages_in_characters_not_bytes() -> None:
    assert value(define("prompt_chars", "p")) == len("Be brief.") + len("Größe?") == 15
    assert value(define("prompt_chars", "p"), FAILED) == 15, "it was asked, whatever came of it"


def test_the_prompt_s_length_is_of_the_prompt_and_so_are_cells_of_prompts() -> None:
    cells = (define("embedding_cell", "c", cells=Cells(text)) for text in EmbeddedText)
    assert [d.parameters["text"] for d in cells if d.of_prompt] == ["prompt"]
    assert define("prompt_chars", "p").of_prompt
    assert not define("response_chars", "r").of_prompt


def test_a_response_is_as_long_as_its_text_and_an_empty_one_is_0() -> None:
    assert value(define("response_chars", "r")) == 6
    assert value(define("response_chars", "r"), Response("")) == 0


def test_what_is_longer_than_the_scale_counts_as_its_end() -> None:
    definition = define("response_chars", "r")
    assert value(definition, Response("x" * 1_000_001)) == definition.high == 1_000_000


@pytest.mark.parametrize("kind", ["prompt_chars", "response_chars"])
def test_lengths_are_told_apart_by_their_ratio_and_none_is_better(kind: str) -> None:
    definition = define(kind, "length")
    assert (definition.logarithmic, definition.higher_is_better) == (True, None)
    assert not definition.categories


@pytest.mark.parametrize(
    ("latency", "kept"), [(0.0, 1.0), (300.0, 1.0), (300.1, 0.0), (1e300, 0.0), (None, None)]
)
def test_a_limit_is_kept_up_to_itself(latency: float | None, kept: float | None) -> None:
    definition = define("latency_within", "fast", limit_ms=300)
    assert value(definition, replace(ANSWER, latency_ms=latency)) == kept


def test_a_latency_that_is_no_duration_neither_keeps_nor_breaks_a_limit() -> None:
    definition = define("latency_within", "fast", limit_ms=300)
    found = SCORERS["latency_within"](ASKED, replace(ANSWER, latency_ms=-1.0), definition)
    assert found == Score(None, ScoreStatus.UNPARSABLE, "latency_not_a_duration")


def test_another_limit_is_another_evaluation_version() -> None:
    versions = {
        evaluation_version(define("latency_within", "fast", limit_ms=limit))
        for limit in (300, 300.0, 400)
    }
    assert len(versions) == 2
