"""Who answers what: recorded models, the scripted judge, and made-up text for load tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from streaming_eval.local.questions import RECORDED_MODELS, Question
from streaming_eval.local.scripted_judge import JUDGE_FINGERPRINT, SCRIPTED_JUDGE, grade
from streaming_eval.records import Message

RECORDED = "recorded-openfactcheck-1.1.2"
SYNTHETIC = "synthetic-text"
_ENDINGS = tuple(".?!\"')]}:;`*")
_WORDS = (
    "signal", "river", "window", "answer", "copper", "method", "garden", "number", "winter",
    "letter", "market", "silver", "object", "theory", "island", "record",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says, and by which means it came about.

    Attributes:
        finish_reason: `stop`, or `length` for a recorded answer that breaks off in mid-sentence.
        fingerprint: names the means; becomes `system_fingerprint`.
    """

    text: str
    finish_reason: str
    fingerprint: str


class NotAnswerable(Exception):  # noqa: N818 - an outcome that becomes a reply
    """There is no answer.

    Args:
        status: 404 for what we do not have, 400 for what the judge cannot read.
        code: `model_not_found`, `prompt_not_recorded` or `not_a_judge_prompt`.
        message: for people.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class AnswerBook:
    """Answers chat requests; the same request always gets the same answer.

    Args:
        questions: the recorded ones; the last user message must be a prompt among them, exactly.
        synthetic: answer every other prompt, for any model name, with text made from a hash.
    """

    def __init__(self, questions: Iterable[Question], *, synthetic: bool = False) -> None:
        self._by_prompt = {question.prompt: question.answers for question in questions}
        self._synthetic = synthetic

    def answer(self, model: str, messages: Sequence[Message]) -> Answer:
        """What the model says to the conversation.

        Raises:
            NotAnswerable: the model or the prompt is unknown, or the judge cannot read its prompt.
        """
        prompt = next((m.content for m in reversed(messages) if m.role == "user"), "")
        if model == SCRIPTED_JUDGE:
            return _verdict(prompt)
        recorded = self._by_prompt.get(prompt, {}).get(model)
        if recorded is not None:
            return Answer(recorded, _finish_reason(recorded), RECORDED)
        if self._synthetic:
            return Answer(synthetic_text(model, prompt), "stop", SYNTHETIC)
        if model not in RECORDED_MODELS:
            raise NotAnswerable(
                HTTPStatus.NOT_FOUND, "model_not_found", f"the model {model!r} does not exist here"
            )
        raise NotAnswerable(
            HTTPStatus.NOT_FOUND, "prompt_not_recorded", f"{model} was never asked this"
        )


def synthetic_text(model: str, prompt: str) -> str:
    """8 to 39 words that depend on nothing but the model's name and the prompt.

    >>> synthetic_text("m", "a") == synthetic_text("m", "a") != synthetic_text("m", "b")
    True
    """
    digest = hashlib.sha256(f"{model}\0{prompt}".encode()).digest()
    nibbles = [half for byte in digest for half in (byte >> 4, byte & 15)]
    words = nibbles[: 8 + digest[0] % 32]
    return " ".join(_WORDS[nibble] for nibble in words).capitalize() + "."


def _verdict(prompt: str) -> Answer:
    try:
        return Answer(grade(prompt), "stop", JUDGE_FINGERPRINT)
    except ValueError as error:
        raise NotAnswerable(HTTPStatus.BAD_REQUEST, "not_a_judge_prompt", str(error)) from None


def _finish_reason(text: str) -> str:
    """The recordings do not hold it; most Llama answers were cut at a token limit.

    >>> _finish_reason("Paris."), _finish_reason("The capital of France is the city of")
    ('stop', 'length')
    """
    return "stop" if text.rstrip().endswith(_ENDINGS) else "length"
