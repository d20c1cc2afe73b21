"""Ranks are uniform and independent while nothing changes; the alarm needs counts alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from streaming_eval.stats.conformal import RankAlarm, ranks
from streaming_eval.stats.levels import Counts

SHARES = [0.1, 0.2, 0.4, 0.3]


def brute_force(seen: list[int], cells: list[int]) -> list[tuple[float, float]]:
    """Where each score's rank may lie: shares below it, and at or below it."""
    held = [cell for cell, n in enumerate(seen) for _ in range(n)]
    limits = []
    for cell in cells:
        held.append(cell)
        below, level = sum(h < cell for h in held), sum(h == cell for h in held)
        limits.append((below / len(held), (below + level) / len(held)))
    return limits


@given(
    st.lists(st.integers(0, 6), min_size=3, max_size=3),
    st.integers(0, 2),
    st.integers(0, 9),
    st.integers(0, 2**64 - 1),
)
def test_a_score_ranks_among_all_before_it_and_itself(
    seen: list[int], cell: int, n: int, seed: int
) -> None:
    """Equal scores in one pane, whose order is no matter."""
    counts = np.eye(3, dtype=np.int64)[cell] * n
    got = ranks(np.array(seen), counts, seed)
    assert len(got) == n
    for rank, (low, high) in zip(got, brute_force(seen, [cell] * n), strict=True):
        assert low <= rank <= high


def test_the_order_in_a_pane_is_one_of_all_orders_and_belongs_to_the_seed() -> None:
    """Two different scores: both orders occur, about equally often, always the same for a seed."""
    seen, pane = np.array([0, 0]), np.array([1, 1])
    second = np.array([ranks(seen, pane, seed)[1] for seed in range(400)])
    was_lower = second < 0.5  # of two, the lower one ranks in the lower half
    assert 0.4 < was_lower.mean() < 0.6
    assert ranks(seen, pane, 3).tolist() == ranks(seen, pane, 3).tolist()


def test_large_panes_are_worked_out_in_blocks_without_a_seam() -> None:
    pane = np.array([3_000, 4_000, 2_500])
    together = ranks(np.array([5, 5, 5]), pane, 1)
    assert len(together) == 9_500
    assert kstest(together[1_000:], "uniform").pvalue > 1e-3


def simulated(shares: list[float], baseline: int, panes: int, size: int, seed: int) -> Counts:
    rng = np.random.default_rng(seed)
    return rng.multinomial([baseline] + [size] * panes, shares)


def test_without_a_change_ranks_are_uniform_and_independent() -> None:
    samples = []
    for seed in range(300):
        seen, *panes = simulated(SHARES, 15, 3, 10, seed)
        got: list[float] = []
        for at, pane in enumerate(panes):
            got.extend(ranks(seen, pane, 7 * seed + at))
            seen = seen + pane
        samples.append(got)
    table = np.array(samples)  # a path a row: columns are uniform, neighbours unrelated
    assert min(kstest(column, "uniform").pvalue for column in table.T) > 1e-4
    neighbours = np.corrcoef(table[:, :-1].ravel(), table[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(table.size)


def highest(paths: int, after: list[float], panes: int, change: int, baseline: int) -> list[float]:
    """Largest log evidence of each path whose mix becomes `after` from pane `change` on."""
    rng = np.random.default_rng(9)
    tops = []
    for path in range(paths):
        alarm = RankAlarm(tuple(rng.multinomial(baseline, SHARES).tolist()))
        top = -np.inf
        for at in range(panes):
            pane = rng.multinomial(20, SHARES if at < change else after)
            alarm = alarm.tick(pane, seed=1_000 * path + at)
            top = max(top, alarm.log_evidence)
        tops.append(top)
    return tops


@pytest.mark.slow
@pytest.mark.parametrize("baseline", [0, 500])
def test_false_alarms_are_as_rare_as_promised_even_without_a_baseline(baseline: int) -> None:
    tops = np.array(highest(120, SHARES, panes=60, change=60, baseline=baseline))
    for budget in (150.0, 600.0):
        promised = 60 / budget
        assert (tops >= np.log(budget)).mean() <= promised + 3 * (promised / 120) ** 0.5


@pytest.mark.parametrize("after", [[0.2, 0.3, 0.3, 0.2], [0.3, 0.0, 0.2, 0.5]])
def test_a_shift_and_a_wider_spread_are_found(after: list[float]) -> None:
    assert min(highest(5, after, panes=60, change=20, baseline=2_000)) > np.log(1e4)


def test_all_scores_seen_are_kept_as_counts() -> None:
    alarm = RankAlarm((5, 5, 5)).tick([1, 2, 3], seed=1).tick([0, 0, 0], seed=2)
    assert alarm.seen == (6, 7, 8)


@pytest.mark.parametrize("seen", [(1,), (1, -1)])
def test_counts_that_rank_nothing_are_refused(seen: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="two cells"):
        RankAlarm(seen)


def test_counts_of_other_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="3 cells"):
        RankAlarm((1, 2, 3)).tick([1, 2], seed=1)
