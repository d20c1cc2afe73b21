import pickle
from collections import Counter
from dataclasses import replace

import pytest

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.questions import (
    GPT_4,
    LLAMA_2_7B,
    LLAMA_2_13B,
    RECORDED_MODELS,
    Question,
    distinct,
    load_questions,
)
from streaming_eval.scoring.normalise import normalise


@pytest.fixture(scope="module")
def questions() -> tuple[Question, ...]:
    return load_questions()


def _share_right(questions: list[Question], model: str) -> float:
    """Share of answers that hold a target as a substring, both normalised."""
    right = [
        any(normalise(target) in normalise(question.answers[model]) for target in question.targets)
        for question in questions
    ]
    return sum(right) / len(right)


def test_all_answerable_questions_are_there(questions: tuple[Question, ...]) -> None:
    sources = Counter(question.source for question in questions)
    assert sources == {"squad": 1487, "triviaqa": 668, "hotpotqa": 182}


def test_every_question_has_a_target_and_an_answer_by_each_model(
    questions: tuple[Question, ...],
) -> None:
    for question in questions:
        assert all(normalise(target) for target in question.targets)
        assert question.targets
        assert all(question.answers[model].strip() for model in RECORDED_MODELS)


def test_a_prompt_determines_its_answers(questions: tuple[Question, ...]) -> None:
    assert len({question.prompt for question in questions}) == len(questions) == 2337


@pytest.mark.parametrize(
    ("source", "model", "share"),
    [
        (None, GPT_4, 0.477),
        (None, LLAMA_2_7B, 0.392),
        (None, LLAMA_2_13B, 0.401),
        ("triviaqa", GPT_4, 0.901),
        ("triviaqa", LLAMA_2_7B, 0.714),
    ],
)
def test_the_models_are_as_good_as_documented(
    questions: tuple[Question, ...], source: str | None, model: str, share: float
) -> None:
    chosen = [question for question in questions if source in (None, question.source)]
    assert _share_right(chosen, model) == pytest.approx(share, abs=0.0006)


def test_an_exact_repeat_is_dropped_and_order_kept() -> None:
    first, second = _question("a"), _question("b")
    assert distinct([first, second, first]) == (first, second)


def test_two_entries_for_one_prompt_are_an_error() -> None:
    with pytest.raises(EnvironmentProblem, match="two different entries"):
        distinct([_question("a"), replace(_question("a"), targets=("other",))])


def test_questions_can_be_sent_to_another_process(questions: tuple[Question, ...]) -> None:
    assert pickle.loads(pickle.dumps(questions[0])) == questions[0]


def _question(prompt: str) -> Question:
    return Question(prompt, ("yes",), "squad", "History", "", {GPT_4: "Yes."})
