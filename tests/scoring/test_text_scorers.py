"""exact_match, contains and token_f1 as functions of a response and its targets."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streaming_eval.scoring.contains import contains
from streaming_eval.scoring.exact_match import exact_match
from streaming_eval.scoring.normalise import fold, normalise
from streaming_eval.scoring.token_f1 import token_f1
from tests.scoring import squad

_WORDS = st.sampled_from(
    [
        "the", "The", "a", "AN", "Paris", "paris.", "U.S.A.", "it's", "—the", "café", "naïve",
        "İ", "ß", "ﬁ", "\x00a", "a\x00", "the\x1fa", "\u00a0", "\n", "...", "1,000", "a_b",
        "an\u2028the",
    ]
)  # fmt: skip
_TEXTS = st.lists(_WORDS, max_size=8).map(" ".join) | st.text(max_size=30)


@settings(max_examples=500, deadline=None)
@given(_TEXTS)
@example("a\x00the")
def test_text_is_normalised_exactly_as_by_the_official_script(text: str) -> None:
    assert normalise(text) == squad.normalize_answer(text)


@settings(max_examples=500, deadline=None)
@given(_TEXTS, st.lists(_TEXTS, min_size=1, max_size=4))
def test_scores_are_the_official_ones_at_the_best_target(response: str, targets: list[str]) -> None:
    comparable = [t for t in targets if normalise(t) or not fold(t)] or [""]
    matches = max(squad.compute_exact(t, response) for t in comparable)
    f1 = max(squad.compute_f1(t, response) for t in comparable)
    if normalise(response) or not fold(response):
        assert exact_match(response, comparable) == matches
        assert token_f1(response, comparable) == pytest.approx(f1)


def test_an_option_letter_that_is_an_article_is_still_compared() -> None:
    assert [exact_match(r, ["A"]) for r in ("A", "(a)", "", "B", "the", "A dog")] == [
        1,
        1,
        0,
        0,
        0,
        0,
    ]
    assert [token_f1(r, ["A"]) for r in ("a.", "", "B")] == [1, 0, 0]


@pytest.mark.parametrize(
    ("response", "target"),
    [
        ("It was Paris.", "paris"),
        ("PARIS, the capital of France", "The Paris"),
        ("“Paris” — that is it", "Paris"),
        ("Paris’s mayor", "paris"),
        ("the U.S.A. won", "USA"),
        ("about 1,000 people", "1000"),
        ("20°C", "20"),
        ("答案是巴黎。", "巴黎"),
        ("คำตอบคือปารีส", "ปารีส"),
        ("東京タワーです", "東京"),
        ("not art, but art", "art"),
        ("a particle of art", "art"),
        ("$1 {{ x }} %s", "{{ x }}"),
    ],
)
def test_a_response_contains_a_target_that_stands_in_it_as_words(
    response: str, target: str
) -> None:
    assert contains(response, ["something else", target]) == 1.0


@pytest.mark.parametrize(
    ("response", "target"),
    [
        ("I know that knot.", "no"),
        ("in 1970", "70"),
        ("around 2020", "20%"),
        ("a party", "art"),
        ("artful and smart", "art"),
        ("éclair", "clair"),
        ("New Jersey and York", "New York"),
        ("", "paris"),
        ("Lyon", "paris"),
    ],
)
def test_a_target_inside_a_word_or_in_pieces_is_not_contained(response: str, target: str) -> None:
    assert contains(response, [target]) == 0.0


@pytest.mark.parametrize("targets", [["A"], ["the", "..."], ["!"]])
def test_contains_says_nothing_when_no_target_has_a_word(targets: list[str]) -> None:
    assert contains("The answer is a.", targets) is None
    assert contains("It was Paris.", [*targets, "Paris"]) == 1.0


@settings(deadline=None)
@given(_TEXTS, st.lists(_TEXTS, min_size=1, max_size=3))
def test_a_whole_match_has_full_f1_and_is_contained(response: str, targets: list[str]) -> None:
    if exact_match(response, targets) == 1.0:
        assert token_f1(response, targets) == 1.0
        assert contains(response, [t for t in targets if exact_match(response, [t])]) in (1.0, None)


@settings(deadline=None)
@given(_TEXTS, st.lists(_TEXTS, min_size=1, max_size=3), _TEXTS)
def test_one_more_target_never_lowers_a_score(response: str, targets: list[str], more: str) -> None:
    for scorer in (exact_match, token_f1, contains):
        assert (scorer(response, [*targets, more]) or 0) >= (scorer(response, targets) or 0)


@pytest.mark.parametrize(
    ("response", "targets", "f1"),
    [
        ("the red red car", ["a red car"], 0.8),
        ("Paris France", ["Paris", "Lyon France"], 2 / 3),
        ("x " * 10_000, ["x"], 2 / 10_001),
        ("", [""], 1.0),
        ("something", [""], 0.0),
    ],
)
def test_token_f1_counts_words_with_repetition(
    response: str, targets: list[str], f1: float
) -> None:
    assert token_f1(response, targets) == pytest.approx(f1)
