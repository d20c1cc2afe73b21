"""One-vs-rest bets on cells: fair within their bounds, additive, and they name the cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.stats.drift import OneVsRest
from streaming_eval.stats.e_detector import log_evidence, step

BASELINE = [1_000, 2_000, 7_000]
COUNTS = st.lists(st.integers(0, 10**5), min_size=3, max_size=3)


def shares_within(bounds: OneVsRest, seed: int) -> np.ndarray:
    """Some mix that keeps all bounds: between the lower ones and their slack."""
    rng = np.random.default_rng(seed)
    lower, upper = np.array(bounds.lower), np.array(bounds.upper)
    shares = lower.copy()
    for cell in rng.permutation(len(shares)):
        shares[cell] += min(upper[cell] - lower[cell], 1 - shares.sum())
    return shares


@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=12).filter(any),
    st.sampled_from([0.0, 0.02, 0.3]),
    st.integers(0, 2**32),
)
def test_no_bet_gains_while_every_share_keeps_its_bounds(
    baseline: list[int], tolerance: float, seed: int
) -> None:
    bounds = OneVsRest.of_baseline(baseline, tolerance=tolerance)
    shares = shares_within(bounds, seed)
    assert shares.sum() == pytest.approx(1.0)
    factors = np.exp(bounds.increments(np.eye(len(baseline), dtype=np.int64)))
    assert np.isfinite(factors).all()
    assert (shares @ factors <= 1 + 1e-9).all()


@pytest.mark.parametrize(
    ("shares", "cell", "rose"), [([0.2, 0.1, 0.7], 0, True), ([0.05, 0.25, 0.7], 0, False)]
)
def test_the_cell_that_moved_is_named_and_which_way(
    shares: list[float], cell: int, rose: bool
) -> None:
    bounds = OneVsRest.of_baseline(BASELINE)
    log_m = bounds.nothing
    for _ in range(10):
        log_m = step(log_m, bounds.increments((np.array(shares) * 100).astype(int)))
    named = {c.cell: c for c in bounds.explain(log_m)}
    assert named[cell].rose is rose
    assert named[cell].log_evidence > 3
    ordered = [c.log_evidence for c in bounds.explain(log_m)]
    assert ordered == sorted(ordered, reverse=True)
    assert named[2].log_evidence < 1  # its share is what it was


def test_evidence_is_the_average_over_cells_and_ways() -> None:
    bounds = OneVsRest.of_baseline(BASELINE)
    log_m = step(bounds.nothing, bounds.increments([300, 100, 600]))
    assert log_m.shape == (bounds.bets,) == (36,)
    assert log_evidence(log_m) <= max(c.log_evidence for c in bounds.explain(log_m))
    assert log_evidence(log_m) == pytest.approx(np.log(np.exp(log_m).mean()))


@given(COUNTS, COUNTS)
def test_increments_add_over_parts_of_a_pane(left: list[int], right: list[int]) -> None:
    bounds = OneVsRest.of_baseline(BASELINE)
    parts = bounds.increments(left) + bounds.increments(right)
    assert bounds.increments(np.add(left, right)) == pytest.approx(parts, rel=1e-9, abs=1e-9)


@given(st.lists(COUNTS, min_size=1, max_size=5))
def test_panes_together_are_equal_to_the_bit_to_panes_one_by_one(panes: list[list[int]]) -> None:
    bounds = OneVsRest.of_baseline(BASELINE)
    assert bounds.increments(panes).tolist() == [bounds.increments(p).tolist() for p in panes]


def test_what_is_tolerated_raises_nothing() -> None:
    """A share that moves by less than the tolerance loses every bet on it."""
    moved = [1_200, 1_800, 7_000]
    assert OneVsRest.of_baseline(BASELINE, tolerance=0.05).increments(moved).max() < 0
    assert OneVsRest.of_baseline(BASELINE).increments(moved).max() > 0


def test_no_baseline_never_alarms() -> None:
    bounds = OneVsRest.of_baseline([0, 0, 0])
    assert (bounds.lower, bounds.upper) == ((0, 0, 0), (1, 1, 1))
    assert bounds.increments(np.eye(3, dtype=np.int64) * 1_000).max() <= 0


@pytest.mark.parametrize(
    ("lower", "upper"), [((0.1,), (0.2,)), ((0.1, 0.2), (0.3,)), ((0.4, 0.2), (0.3, 0.9))]
)
def test_bounds_that_bound_nothing_are_refused(
    lower: tuple[float, ...], upper: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="bounds"):
        OneVsRest(lower, upper)


def test_counts_of_other_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="3 cells"):
        OneVsRest.of_baseline(BASELINE).increments([1, 2])


@pytest.mark.slow
def test_an_estimated_baseline_rarely_makes_a_false_alarm() -> None:
    """20,000 scores in panes of 20 against A = 5,000 panes: T/A alone would allow 20%."""
    rng = np.random.default_rng(8)
    shares = [0.05, 0.1, 0.15, 0.3, 0.4]
    alarmed = 0
    for baseline in rng.multinomial(5_000, shares, size=150):
        bounds = OneVsRest.of_baseline(baseline)
        log_m, highest = bounds.nothing, -np.inf
        for increments in bounds.increments(rng.multinomial(20, shares, size=1_000)):
            log_m = step(log_m, increments)
            highest = max(highest, float(log_evidence(log_m)))
        alarmed += highest >= np.log(5_000)
    assert alarmed / 150 <= 0.05
