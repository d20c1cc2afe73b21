"""One value per cluster: order, rounding, and the error that it prevents."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.stats.clusters import ClusterMeans, cluster_scale
from streaming_eval.stats.levels import Counts, Floats, Scale, mixed, uniforms
from streaming_eval.stats.mixture_bet import MixtureBet

PASS = Scale(0.0, 1.0, True, 2)
ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.floats(0, 1, allow_subnormal=False), st.floats(1, 20)),
    max_size=40,
)
Row = tuple[int, float, float]


def means(rows: list[Row]) -> ClusterMeans:
    table = np.array(rows, np.float64).reshape(-1, 3)
    return ClusterMeans.of(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])


@settings(deadline=None)
@given(ROWS, st.randoms())
def test_order_does_not_matter_to_the_last_bit(rows: list[Row], random: Random) -> None:
    one, other = means(random.sample(rows, len(rows))), means(rows)
    for name in ("clusters", "means", "weights", "sizes"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


@settings(deadline=None)
@given(ROWS)
def test_each_cluster_has_the_weighted_mean_of_its_scores(rows: list[Row]) -> None:
    found = means(rows)
    assert found.clusters.tolist() == sorted({cluster for cluster, _, _ in rows})
    for i, cluster in enumerate(found.clusters.tolist()):
        values, weights = np.array([r[1:] for r in rows if r[0] == cluster]).T
        assert found.means[i] == pytest.approx(np.average(values, weights=weights))
        assert found.weights[i] == pytest.approx(weights.mean())
        assert found.sizes[i] == len(values)


def test_rounding_is_without_bias() -> None:
    n = 60_000
    clusters = np.arange(n // 3).repeat(3)
    values = (np.random.default_rng(1).random(n) < 0.9).astype(np.float64)
    found = ClusterMeans.of(clusters, values, np.ones(n))
    drawn = uniforms(mixed(found.clusters.astype(np.uint64), 1))
    levels = found.levels(cluster_scale(PASS), drawn)
    assert levels.mean() / 64 == pytest.approx(values.mean(), abs=2e-4)


def clustered(paths: int, clusters: int, size: int, seed: int) -> Floats:
    """Passes of clusters whose rates differ: intraclass correlation .3 at a mean of .9."""
    rng = np.random.default_rng(seed)
    spread = (1 - 0.3) / 0.3
    rates = rng.beta(0.9 * spread, 0.1 * spread, (paths, clusters, 1))
    passed: Floats = (rng.random((paths, clusters, size)) < rates).astype(np.float64)
    return passed


def missed(levels: Counts, top: int) -> float:
    """Share of paths [path, time] whose interval ever misses .9, looked at ten times."""
    bet, ever = MixtureBet(0.05, 1_000), np.zeros(len(levels), bool)
    for n in np.linspace(levels.shape[1] / 10, levels.shape[1], 10).astype(int):
        counts = np.stack([np.bincount(path[:n], minlength=top + 1) for path in levels])
        evidence = np.maximum(*bet.log_evidence(counts, 0.9))
        ever |= evidence >= np.log(40)
    return float(ever.mean())


def test_a_bet_per_cluster_keeps_the_promise_and_a_bet_per_score_does_not() -> None:
    passed = clustered(200, 200, 10, seed=4)
    rng = np.random.default_rng(5)
    rows = [ClusterMeans.of(np.arange(200).repeat(10), p.ravel(), np.ones(2_000)) for p in passed]
    levels = np.stack([row.levels(cluster_scale(PASS), rng.random(200)) for row in rows])
    assert missed(levels, 64) <= 0.05
    assert missed(passed.reshape(200, -1).astype(np.int64), 1) > 0.15
