"""What the scorers say of real answers by real models."""

from __future__ import annotations

from streaming_eval.local.questions import GPT_4, LLAMA_2_7B, LLAMA_2_13B, load_questions
from streaming_eval.scoring.contains import contains
from streaming_eval.scoring.normalise import normalise


def test_whole_words_tell_the_models_apart_better_than_bare_substrings() -> None:
    """2,337 answerable questions of SelfAware: the better model gains, the equal pair stays."""
    questions = load_questions()
    words, substrings = (
        {
            model: sum(bool(says(q.answers[model], q.targets)) for q in questions) / len(questions)
            for model in (GPT_4, LLAMA_2_7B, LLAMA_2_13B)
        }
        for says in (contains, substring)
    )
    assert {m: round(v, 3) for m, v in substrings.items()} == {
        GPT_4: 0.477, LLAMA_2_7B: 0.392, LLAMA_2_13B: 0.401
    }  # fmt: skip
    assert {m: round(v, 3) for m, v in words.items()} == {
        GPT_4: 0.458, LLAMA_2_7B: 0.367, LLAMA_2_13B: 0.377
    }  # fmt: skip
    assert words[GPT_4] - words[LLAMA_2_7B] > substrings[GPT_4] - substrings[LLAMA_2_7B]


def substring(response: str, targets: tuple[str, ...]) -> bool:
    """The looser definition, which also finds "no" in "know"."""
    return any(normalise(t) and normalise(t) in normalise(response) for t in targets)
