import pytest

from streaming_eval.local.scripted_judge import grade
from streaming_eval.records import Message, Sample
from streaming_eval.scoring.judge import judge_messages, parse_verdict


def _verdict(response: str, targets: tuple[str, ...], low: int = 1, high: int = 3) -> float | None:
    question = (Message("user", "What is the capital of France?"),)
    sample = Sample("s", 0, "assistant", question, targets=targets)
    prompt = judge_messages("Is it right?", sample, response, low, high)[-1].content
    score = parse_verdict(grade(prompt), low, high)
    assert score.explanation is not None
    assert score.explanation.startswith("scripted judge: ")
    return score.value


def test_a_response_with_a_target_gets_the_best_grade() -> None:
    assert _verdict("It is Paris, of course.", ("Lutetia", "paris")) == 3
    assert _verdict("It is Paris.", ("paris",), low=0, high=10) == 10


def test_a_response_without_a_target_gets_the_worst_grade() -> None:
    assert _verdict("It is Rome.", ("Paris",)) == 1


@pytest.mark.parametrize(
    "response", ["", "...", "I don't know.", "Sorry, that is beyond me.", "It is unclear."]
)
def test_a_response_that_says_nothing_gets_the_middle(response: str) -> None:
    assert _verdict(response, ("Paris",)) == 2


def test_without_targets_the_script_cannot_tell() -> None:
    assert _verdict("It is Rome.", ()) == 2


def test_hedging_does_not_spoil_a_right_answer() -> None:
    assert _verdict("Sorry, I am not sure, but I think Paris.", ("Paris",)) == 3


def test_a_target_in_the_question_alone_does_not_count() -> None:
    assert _verdict("I would say Rome.", ("capital of France",)) == 1


def test_what_is_no_judge_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="code and a scale"):
        grade("What is the capital of France?")
