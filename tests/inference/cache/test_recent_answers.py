from __future__ import annotations

from copy import deepcopy

from streaming_eval.inference.cache.recent_answers import RecentAnswers
from streaming_eval.records import Response


def answer(n: int, chars: int = 10) -> Response:
    return Response(str(n).rjust(chars, "."))


def known(recent: RecentAnswers, keys: range) -> list[int]:
    """Asked of copies, since asking changes what is kept."""
    return [n for n in keys if deepcopy(recent).get(str(n)) is not None]


def test_an_answer_is_given_back_under_its_key_only() -> None:
    recent = RecentAnswers(1_000)
    recent.remember("a", answer(1))
    assert recent.get("a") == answer(1)
    assert recent.get("b") is None


def test_remembered_texts_never_take_much_more_than_was_allowed() -> None:
    recent = RecentAnswers(1_000)
    for n in range(500):
        recent.remember(str(n), answer(n))
    kept = known(recent, range(500))
    assert sum(len(answer(n).text or "") for n in kept) <= 1_000 + 10
    assert len(kept) >= 50, "half of it at least is in use"
    assert kept == list(range(500 - len(kept), 500)), "the newest"


def test_what_is_asked_for_again_and_again_stays() -> None:
    recent = RecentAnswers(1_000)
    recent.remember("popular", answer(0))
    for n in range(1, 500):
        recent.remember(str(n), answer(n))
        assert recent.get("popular") == answer(0)


def test_what_nobody_asks_for_is_dropped() -> None:
    recent = RecentAnswers(1_000)
    recent.remember("quiet", answer(0))
    for n in range(1, 120):
        recent.remember(str(n), answer(n))
    assert recent.get("quiet") is None


def test_a_new_answer_replaces_the_old_one_for_good() -> None:
    recent = RecentAnswers(1_000)
    recent.remember("a", answer(1))
    for n in range(60):
        recent.remember(f"fill{n}", answer(n))
    recent.remember("a", answer(2))
    for n in range(60):
        assert recent.get("a") == answer(2)
        recent.remember(f"more{n}", answer(n))


def test_an_answer_larger_than_the_memory_does_no_harm() -> None:
    recent = RecentAnswers(100)
    recent.remember("huge", answer(1, chars=10_000))
    for n in range(50):
        recent.remember(str(n), answer(n))
    assert recent.get("huge") is None
    assert recent.get("49") == answer(49)
