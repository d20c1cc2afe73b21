"""Budgets, jobs and deaths of the driver for the properties of spending, drawn by Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from streaming_eval.inference.spending.budget import Budget, Per, Unit
from tests.inference.spending.spending_world import Call

TOKENS = Budget(Unit.TOKENS, 200, Per.HOUR)
MONEY = Budget(Unit.MONEY, 400, Per.DAY)
OF_B = Budget(Unit.TOKENS, 60, Per.HOUR, model="b")
BUDGETS = st.lists(st.sampled_from([TOKENS, MONEY, OF_B]), min_size=1, unique=True).map(tuple)


def calls(most: int, over: int = 0, *, failing: bool = True) -> st.SearchStrategy[Call]:
    """Calls that hold back up to `most` tokens; an answer may take `over` more than that."""
    return st.builds(
        lambda sample, model, held, share, fails: Call(
            f"sample-{sample}", model, held, round(share * (held + over)), fails
        ),
        st.integers(0, 200),
        st.sampled_from("ab"),
        st.integers(1, most),
        st.floats(0, 1),
        st.booleans() if failing else st.just(False),
    )


def jobs(most: int, over: int = 0, *, failing: bool = True) -> st.SearchStrategy[list[list[Call]]]:
    return st.lists(st.lists(calls(most, over, failing=failing), max_size=25), max_size=8)


KILLS = st.frozensets(st.integers(1, 12), max_size=4)
