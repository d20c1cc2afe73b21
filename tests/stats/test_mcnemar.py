"""Sequential McNemar: the formula against integrals, the promise by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from streaming_eval.stats.mcnemar import McNemar, differing

TEST = McNemar()
GOAL = np.log(20)
COUNT = st.integers(0, 10**6)


def likelihood_ratio(lost_share: float, won: int, lost: int, null: float = 0.5) -> float:
    own = stats.binom.pmf(lost, won + lost, lost_share)
    return float(own / stats.binom.pmf(lost, won + lost, null))


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (3, 9), (12, 4), (40, 60)])
def test_evidence_is_the_likelihood_ratio_averaged_over_the_prior(won: int, lost: int) -> None:
    prior = stats.beta(10, 10).pdf
    both = quad(lambda s: likelihood_ratio(s, won, lost) * prior(s), 0, 1)[0]
    worse = quad(lambda s: likelihood_ratio(s, won, lost) * 2 * prior(s), 0.5, 1)[0]
    assert float(TEST.log_evidence(won, lost)) == pytest.approx(np.log(both), abs=1e-7)
    assert float(TEST.log_evidence_worse(won, lost)) == pytest.approx(np.log(worse), abs=1e-7)


def test_no_pairs_say_nothing() -> None:
    assert float(TEST.log_evidence(0, 0)) == 0.0
    assert float(TEST.log_evidence_worse(0, 0)) == pytest.approx(0.0, abs=1e-12)
    assert [float(n) for n in differing([0, 10**6, 0])] == [0.0, 0.0]


@given(COUNT, COUNT)
def test_one_more_loss_never_speaks_for_the_candidate(won: int, lost: int) -> None:
    now, more = TEST.log_evidence_worse([won, won], [lost, lost + 1])
    assert more >= now - 1e-6


@given(st.integers(0, 1_000), st.integers(0, 1_000), st.floats(0.0, 0.5))
def test_the_expected_factor_of_the_next_pair_is_at_most_one(
    won: int, lost: int, lost_share: float
) -> None:
    """Supermartingale, whatever the share of losses is, as long as it is no more than half."""
    now, if_lost, if_won = np.exp(
        TEST.log_evidence_worse([won, won, won + 1], [lost, lost + 1, lost])
    )
    assert lost_share * if_lost + (1 - lost_share) * if_won <= now * (1 + 1e-6)


@given(COUNT, COUNT)
def test_limits_hold_the_share_seen_and_refute_the_ends_only_with_reason(
    won: int, lost: int
) -> None:
    found = TEST.share_won(won, lost, 0.05)
    assert 0.0 <= found.lower <= found.upper <= 1.0
    if won + lost:
        assert found.lower - 1e-9 <= won / (won + lost) <= found.upper + 1e-9
    if not lost:
        assert found.upper == 1.0


def test_a_limit_is_where_evidence_reaches_one_over_alpha() -> None:
    found = TEST.share_won(30, 70, 0.05)
    for end in (found.lower, found.upper):
        assert float(TEST.log_evidence(30, 70, end)) == pytest.approx(GOAL, abs=1e-6)


@pytest.mark.slow
def test_equal_models_are_rarely_ever_called_worse() -> None:
    """After every pair, over 1,000 pairs that differ in each of 2,000 streams."""
    lost = (np.random.default_rng(0).random((2_000, 1_000)) < 0.5).cumsum(axis=1)
    won = np.arange(1, 1_001) - lost
    called = (TEST.log_evidence_worse(won, lost) >= GOAL).any(axis=1).mean()
    assert 0.01 < called <= 0.05 + 3 * (0.05 * 0.95 / 2_000) ** 0.5


def test_the_classical_test_fails_the_same_test() -> None:
    lost = (np.random.default_rng(0).random((400, 1_000)) < 0.5).cumsum(axis=1)
    n = np.arange(1, 1_001)
    p = np.asarray(stats.binom.sf(lost - 1, n, 0.5))
    assert (p[:, 29:] <= 0.05).any(axis=1).mean() > 0.2


def test_a_loss_of_five_points_is_found_with_at_most_twice_the_pairs_of_one_look() -> None:
    """9 % lost, 4 % won; 80 % power at one-sided 5 % takes 315 pairs when they are read once."""
    drawn = np.random.default_rng(1).random((400, 1_000))
    lost = (drawn < 0.09).cumsum(axis=1)
    won = ((drawn >= 0.09) & (drawn < 0.13)).cumsum(axis=1)
    reached = TEST.log_evidence_worse(won, lost) >= GOAL
    when = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, np.inf)
    assert np.quantile(when, 0.8) <= 2.0 * 315


def test_only_pass_fail_differences_are_taken() -> None:
    with pytest.raises(ValueError, match="3 levels"):
        differing([1, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="concentration"):
        McNemar(0.0)
