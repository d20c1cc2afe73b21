"""Whom an alarm is put down to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.stats.attribution import Attribution, Culprit

PANES = st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=20)


def follow(guard: int, panes: list[tuple[int, bool]]) -> list[Attribution]:
    steps, now = [], Attribution(guard)
    for n, alarmed in panes:
        now = now.observe(n, anchors_alarmed=alarmed)
        steps.append(now)
    return steps


@pytest.mark.parametrize(
    ("panes", "culprit"),
    [
        ([], Culprit.UNDECIDED),
        ([(0, True)], Culprit.JUDGE),  # the anchors were first
        ([(400, False), (400, True)], Culprit.JUDGE),
        ([(400, False), (599, False)], Culprit.UNDECIDED),
        ([(400, False), (600, False)], Culprit.SYSTEM),
        ([(400, False), (600, True)], Culprit.JUDGE),  # both in one pane
        ([(1_000, False), (1, True)], Culprit.SYSTEM),  # too late
    ],
)
def test_who_alarms_within_the_guard_tells(panes: list[tuple[int, bool]], culprit: Culprit) -> None:
    assert ([Attribution(1_000), *follow(1_000, panes)][-1]).culprit is culprit


@given(PANES, st.integers(0, 2_000))
def test_a_verdict_is_final_and_comes_by_the_end_of_the_guard(
    panes: list[tuple[int, bool]], guard: int
) -> None:
    steps = follow(guard, panes)
    decided = [a for a in steps if a.culprit is not Culprit.UNDECIDED]
    assert all(a == decided[0] for a in decided)
    assert steps[len(steps) - len(decided) :] == decided
    if panes and sum(n for n, _ in panes) >= guard:
        assert decided


@given(PANES, st.integers(0, 2_000))
def test_the_judge_is_blamed_only_if_the_anchors_alarmed(
    panes: list[tuple[int, bool]], guard: int
) -> None:
    blamed = any(a.culprit is Culprit.JUDGE for a in follow(guard, panes))
    assert not blamed or any(alarmed for _, alarmed in panes)


def test_no_guard_decides_at_once() -> None:
    assert Attribution(0).observe(0, anchors_alarmed=False).culprit is Culprit.SYSTEM


def test_a_guard_cannot_be_negative() -> None:
    with pytest.raises(ValueError, match="guard"):
        Attribution(-1)
