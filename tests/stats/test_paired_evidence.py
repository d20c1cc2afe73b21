"""Evidence from bounded, normal, symmetric and heavy-tailed differences."""

from collections.abc import Callable
from math import inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from streaming_eval.stats import paired_bets, symmetric
from streaming_eval.stats.evidence import Evidence
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats, level_values
from streaming_eval.stats.median import median_interval
from streaming_eval.stats.signed_rank import SignedRank
from streaming_eval.stats.t_process import Sums, TProcess

GOAL = log(20)
COUNTS = st.integers(1, 32).flatmap(
    lambda half: st.lists(st.integers(0, 300), min_size=2 * half + 1, max_size=2 * half + 1)
)
FEW = st.lists(st.floats(-50.0, 50.0), max_size=40)


def at_most_five_percent(called: int, streams: int) -> bool:
    allowed = 0.05 + 3 * float(0.05 * 0.95 / streams) ** 0.5
    return bool(called / streams <= allowed)


@given(COUNTS, st.data())
def test_the_next_bounded_difference_is_expected_to_add_nothing(
    counts: list[int], data: st.DataObject
) -> None:
    """A fair game at mean 0: any distribution of the next difference on two sides of 0."""
    half = len(counts) // 2
    down, up = data.draw(st.integers(0, half - 1)), data.draw(st.integers(half + 1, 2 * half))
    differences = 2 * level_values(len(counts)) - 1
    p_down = differences[up] / (differences[up] - differences[down])
    after = []
    for level in (down, up):
        more = list(counts)
        more[level] += 1
        after.append(float(paired_bets.log_evidence_worse(more)))
    now = float(paired_bets.log_evidence_worse(counts))
    if now > -600.0:
        expected = np.logaddexp(np.log(p_down) + after[0], np.log1p(-p_down) + after[1])
        assert expected == pytest.approx(now, abs=1e-8)


def test_bounded_evidence_and_limits_agree_on_a_clear_loss() -> None:
    counts = [40, 150, 700, 80, 30]
    assert float(paired_bets.log_evidence_worse(counts)) > GOAL
    assert float(paired_bets.log_evidence_worse(counts[::-1])) < 0.0
    assert paired_bets.mean_interval(counts, 0.05, 1_000).upper < 0.5


@pytest.mark.parametrize("d", [[1.0, -2.0], [0.3, 0.4, -0.1, 0.9], list(np.arange(-3.0, 20.0))])
def test_t_evidence_is_the_density_ratio_averaged_over_the_prior(d: list[float]) -> None:
    """By scipy's noncentral t; the prior of the standardised mean is normal, variance 1 / 100."""
    n = len(d)
    t = stats.ttest_1samp(d, 0.0).statistic
    null = stats.t.pdf(t, n - 1)

    def integrand(effect: float) -> float:
        density = stats.nct.pdf(t, n - 1, np.sqrt(n) * effect)
        return float(density / null * stats.norm.pdf(effect, scale=0.1))

    expected = quad(integrand, -1.0, 1.0, points=[0.0], limit=200)[0]
    assert TProcess().log_evidence(Sums.of(d)) == pytest.approx(log(expected), abs=1e-6)


def test_t_limits_are_where_evidence_reaches_one_over_alpha() -> None:
    sums = Sums.of(np.random.default_rng(0).normal(0.3, 1.0, 200))
    found = TProcess().interval(sums, 0.05)
    for end in (found.lower, found.upper):
        assert TProcess().log_evidence(sums, end) == pytest.approx(GOAL, abs=1e-9)


def test_t_knows_nothing_from_nothing() -> None:
    assert TProcess().log_evidence(Sums()) == 0.0
    assert TProcess().interval(Sums.of([3.0]), 0.05) == Interval(-inf, inf)
    assert Sums().mean is None
    assert TProcess().log_evidence_worse(Sums.of([0.0] * 50)) < 0.0
    assert np.isfinite(TProcess().log_evidence_worse(Sums.of([-2.0] * 50)))


@given(FEW, FEW)
def test_sums_of_parts_are_sums_of_the_whole(first: list[float], second: list[float]) -> None:
    merged, whole = Sums.of(first).merge(Sums.of(second)), Sums.of(first + second)
    assert merged.n == whole.n
    assert (merged.total, merged.squares) == pytest.approx((whole.total, whole.squares), abs=1e-9)


@given(FEW)
def test_order_and_cut_do_not_matter_to_symmetric_and_t_evidence(d: list[float]) -> None:
    ordered, back = Sums.of(sorted(d)), Sums.of(d[::-1])
    for evidence in (lambda s: symmetric.log_evidence_worse(s, 25.0), TProcess().log_evidence):
        assert evidence(ordered) == pytest.approx(evidence(back), abs=1e-6)


@given(st.floats(-30, 30), st.floats(0, 900), st.floats(0.01, 20), st.floats(-10, 0))
def test_symmetric_evidence_is_expected_to_add_nothing(
    total: float, more_squares: float, size: float, center: float
) -> None:
    """One more difference, as likely above its center as below, and the center not above 0.

    (Seen from the other side of the bet: not worse means a center of the losses not above 0.)
    """
    before = Sums(10, total, total**2 + more_squares)
    both = [before.merge(Sums.of([-(center + sign * size)])) for sign in (1, -1)]
    above, below = (symmetric.log_evidence_worse(s, 9.0) for s in both)
    after = np.logaddexp(above, below) - log(2)
    assert after <= symmetric.log_evidence_worse(before, 9.0) + 1e-9


def test_symmetric_evidence_is_the_exponential_averaged_over_a_half_normal() -> None:
    sums = Sums(50, -12.0, 40.0)

    def integrand(s: float) -> float:
        half_normal = 2 * stats.norm.pdf(s, scale=1 / np.sqrt(25.0))
        return float(np.exp(s * 12.0 - s * s * 40.0 / 2) * half_normal)

    expected = log(quad(integrand, 0, 5)[0])
    assert symmetric.log_evidence_worse(sums, 25.0) == pytest.approx(expected, abs=1e-8)


def test_ranks_do_not_see_the_size_of_an_outlier() -> None:
    start = SignedRank().update(np.linspace(-1.0, 1.0, 51))
    big, huge = (start.update([-size]).log_evidence_worse() for size in (5.0, 5e9))
    assert big == huge > start.log_evidence_worse()


def test_ranks_are_shares_of_the_batches_before() -> None:
    """Four sizes seen; 3 lies above two of them and in the bucket of none."""
    state = SignedRank().update([1.0, -2.0, 4.0, 8.0])
    share = (2 + 0.5) / 5
    shares = np.exp(np.linspace(log(0.01), log(0.95), 12))
    gain = np.array(state.update([-3.0]).log_worse) - np.array(state.log_worse)
    assert gain == pytest.approx(np.log1p(shares * share), abs=1e-12)


def test_order_within_a_batch_does_not_matter_to_ranks_and_zeros_do_nothing() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.standard_t(2, 30), rng.standard_t(2, 40)
    one = SignedRank().update(first).update(second)
    other = SignedRank().update(rng.permutation(first)).update([0.0]).update(second[::-1])
    assert other.counts == one.counts
    assert other.log_evidence_worse() == pytest.approx(one.log_evidence_worse(), abs=1e-9)
    assert SignedRank().update([]) == SignedRank()


def bounded_paths(d: Floats) -> Floats:
    levels = np.clip(np.rint(d), -2, 2).astype(int) + 2
    return paired_bets.log_evidence_worse(np.eye(5)[levels].cumsum(axis=1))


def rank_paths(d: Floats) -> Floats:
    paths = []
    for stream in d:
        state, path = SignedRank(), []
        for first in range(0, d.shape[1], 25):
            state = state.update(stream[first : first + 25])
            path.append(state.log_evidence_worse())
        paths.append(path)
    return np.array(paths)


def t_paths(d: Floats) -> Floats:
    totals, squares = d.cumsum(axis=1), (d * d).cumsum(axis=1)
    looks = range(4, d.shape[1], 5)
    test = TProcess(g=10.0)
    return np.array(
        [
            [test.log_evidence_worse(Sums(n + 1, float(t[n]), float(q[n]))) for n in looks]
            for t, q in zip(totals, squares, strict=True)
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("paths", "tails"),
    [
        pytest.param(bounded_paths, 5, id="bounded"),
        pytest.param(rank_paths, 1, id="ranks, Cauchy"),
        pytest.param(t_paths, 1e6, id="t, normal"),
    ],
)
def test_equal_models_are_rarely_ever_called_worse(
    paths: Callable[[Floats], Floats], tails: float
) -> None:
    d = stats.t.rvs(tails, size=(500, 1_000), random_state=np.random.default_rng(7))
    assert at_most_five_percent(int((paths(d) >= GOAL).any(axis=1).sum()), 500)


@pytest.mark.parametrize("tails", [1, 3])
def test_a_median_rarely_ever_leaves_its_limits(tails: int) -> None:
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(100):
        d = rng.standard_t(tails, 800) + 4.0
        found = [median_interval(d[:n], 0.05) for n in range(10, 801, 40)]
        missed += any(not each.lower <= 4.0 <= each.upper for each in found)
    assert at_most_five_percent(missed, 100)


def test_a_median_of_ties_is_held_and_nothing_is_known_of_few() -> None:
    assert median_interval([1.0] * 500, 0.05) == Interval(1.0, 1.0)
    assert median_interval([], 0.05) == median_interval([1.0, 2.0], 0.05) == Interval(-inf, inf)


def test_a_closed_experiment_keeps_the_largest_evidence() -> None:
    evidence = Evidence.of_path([0.0, 4.0, -3.0])
    assert (evidence.log_e, evidence.log_largest) == (-3.0, 4.0)
    assert evidence.p == pytest.approx(np.exp(-4.0))
    assert Evidence.of_path([-5.0]).p == 1.0
