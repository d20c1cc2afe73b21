"""Log buckets and quantiles: exact counts, published radii, the guarantee with ties."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.stats.beta_binomial import BetaBinomial
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.log_buckets import EDGES, RATIO, LogBuckets, bucket_of, edges_of
from streaming_eval.stats.quantile_sequence import QuantileSequence

VALUES = st.lists(st.one_of(st.just(0.0), st.floats(1e-7, 1e10)), max_size=60)


@settings(deadline=None)
@given(VALUES, st.randoms(), st.integers(0, 60))
def test_order_batches_and_parts_change_nothing(
    values: list[float], random: Random, cut: int
) -> None:
    mixed = random.sample(values, len(values))
    assert LogBuckets.of(mixed[cut:]).merge(LogBuckets.of(mixed[:cut])) == LogBuckets.of(values)


@settings(deadline=None)
@given(VALUES, st.integers(0, len(EDGES) - 1))
def test_how_many_are_at_most_an_edge_is_exact(values: list[float], edge: int) -> None:
    assert LogBuckets.of(values).at_most(edge) == sum(v <= EDGES[edge] for v in values)


@pytest.mark.parametrize("edge", [0, 7, 900, len(EDGES) - 1])
def test_a_value_on_an_edge_belongs_below_it(edge: int) -> None:
    assert bucket_of(EDGES[edge]) == edge
    assert bucket_of(np.nextafter(EDGES[edge], np.inf)) == edge + 1


def test_edges_grow_by_two_percent_from_a_millionth_to_a_billion() -> None:
    assert np.allclose(EDGES[1:] / EDGES[:-1], RATIO, rtol=1e-12)
    assert EDGES[0] == 1e-6
    assert EDGES[-1] > 1e9
    assert edges_of(len(EDGES)).upper == np.inf


@settings(deadline=None)
@given(VALUES.filter(bool))
def test_the_bucket_of_a_rank_holds_the_value_of_that_rank(values: list[float]) -> None:
    for rank, value in enumerate(sorted(values), start=1):
        edges = LogBuckets.of(values).holding(rank)
        assert edges.lower < value <= edges.upper or value == edges.lower == 0.0


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_values_without_a_bucket_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite numbers >= 0"):
        LogBuckets.of([1.0, bad])


@pytest.mark.parametrize("rank", [0, 4])
def test_a_rank_that_no_value_has_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match="1 to 3"):
        LogBuckets.of([1.0, 2.0, 3.0]).holding(rank)


def test_the_evidence_has_the_published_values() -> None:
    """Of confseq's tests: s = 10 and the bound 31.4308 at v = 100, g = .2, h = .8, v_opt = 100."""
    bets = BetaBinomial(0.05, 100 / 0.16, ((1.0, 1.0),))
    n, mean = 100 / 0.16, 100 / 0.16 * 0.2
    evidence = bets.log_evidence(
        [mean + 10, mean + 31.4308], [n * 0.8 - 10, n * 0.8 - 31.4308], 0.2
    )
    assert evidence[0] == pytest.approx(-0.6941012, abs=1e-6)
    assert evidence[1] == pytest.approx(np.log(20), abs=1e-5)


@pytest.mark.parametrize("p", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [7, 200, 3_000])
def test_ranks_are_those_of_the_counts_that_are_not_refuted(p: float, n: int) -> None:
    below = np.arange(n + 1)
    evidence = BetaBinomial(0.05, 1_000).log_evidence(below, n - below, p)
    left = below[evidence < np.log(20)]
    assert QuantileSequence(p, 0.05, 1_000).ranks(n) == (left[0], left[-1] + 1)


def test_without_values_or_with_few_the_range_is_open() -> None:
    p99 = QuantileSequence(0.99, 0.05, 1_000)
    assert p99.interval(LogBuckets()) == Interval(0.0, np.inf)
    few = p99.interval(LogBuckets.of(np.linspace(1, 2, 200)))
    assert few.upper == np.inf
    assert 1.5 < few.lower < 2.0
    assert p99.interval(LogBuckets.of(np.linspace(1, 2, 1_000))).upper < np.inf


@pytest.mark.parametrize("p", [0.5, 0.95])
def test_the_quantile_rarely_ever_leaves_however_many_values_are_equal(p: float) -> None:
    """Latencies in whole tenths: the quantile is a value that one in many has exactly."""
    rng = np.random.default_rng(6)
    values = np.round(rng.lognormal(0.0, 0.7, (400, 2_000)), 1)
    truth = float(np.quantile(np.round(rng.lognormal(0.0, 0.7, 2_000_000), 1), p))
    sequence, missed = QuantileSequence(p, 0.05, 500), np.zeros(400, bool)
    for n in np.unique(np.geomspace(10, 2_000, 30).astype(int)):
        low, high = sequence.ranks(int(n))
        seen = np.sort(values[:, :n], axis=1)
        missed |= (seen[:, low - 1] > truth) if low >= 1 else False
        missed |= (seen[:, high - 1] < truth) if high <= n else False
    assert missed.mean() <= 0.05


@pytest.mark.parametrize(("p", "alpha"), [(0.0, 0.05), (1.0, 0.05), (0.5, 0.0)])
def test_what_cannot_be_is_refused(p: float, alpha: float) -> None:
    with pytest.raises(ValueError, match="must"):
        QuantileSequence(p, alpha, 1_000)
