"""Max-min shares and turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.inference.quota.fair_shares import FairOrder, max_min

WANTED = st.dictionaries(st.text(max_size=3), st.integers(0, 50), min_size=1, max_size=8)


@given(total=st.integers(0, 200), wanted=WANTED, turn=st.integers(0, 1_000))
def test_shares_are_max_min_fair(total: int, wanted: dict[str, int], turn: int) -> None:
    shares = max_min(total, wanted, turn)
    assert shares.keys() == wanted.keys()
    assert all(0 <= shares[key] <= wanted[key] for key in wanted)
    assert sum(shares.values()) == min(total, sum(wanted.values())), "nothing is left while wanted"
    unmet = [shares[key] for key in wanted if shares[key] < wanted[key]]
    if unmet:
        assert max(shares.values()) <= min(unmet) + 1, "nobody has more than one who is unmet"


def test_what_does_not_divide_goes_round() -> None:
    wanted = {"a": 9, "b": 5, "c": 7}
    got = {key: sum(max_min(1, wanted, turn)[key] for turn in range(30)) for key in wanted}
    assert got == {"a": 10, "b": 10, "c": 10}


@given(st.lists(st.sampled_from([0.1, 1.0, 7.0]), min_size=100, max_size=300))
def test_two_who_always_wait_are_served_alike(costs: list[float]) -> None:
    order: FairOrder[str] = FairOrder()
    served = {"a": 0.0, "b": 0.0}
    for cost in costs:
        key = order.next(served)
        order.charge(key, cost)
        served[key] += cost
    assert abs(served["a"] - served["b"]) <= 2 * 7.0


def test_who_was_away_has_saved_up_nothing() -> None:
    order: FairOrder[str] = FairOrder()
    for _ in range(100):
        order.charge(order.next(["a"]), 1.0)
    turns = [order.next(["a", "b"])]
    for _ in range(20):
        order.charge(turns[-1], 1.0)
        turns.append(order.next(["a", "b"]))
    assert abs(turns.count("a") - turns.count("b")) <= 1


def test_who_is_forgotten_starts_anew() -> None:
    order: FairOrder[str] = FairOrder()
    order.charge("a", 100.0)
    assert order.next(["a", "b"]) == "b"
    order.forget("a")
    assert order.next(["a", "b"]) == "a"
