"""Ville's promise, by simulation: over whole paths the mean rarely ever leaves the interval.

The bound allows three standard errors on top of the nominal 5%.
"""

import numpy as np
import pytest

from streaming_eval.stats.levels import Counts, level_values
from streaming_eval.stats.mixture_bet import MixtureBet

BET = MixtureBet(0.05, expected_n=1_000)
PATHS = 3_000
ALLOWED = 0.05 + 3 * (0.05 * 0.95 / PATHS) ** 0.5


def pass_fail_paths(p: float, n_max: int, seed: int) -> tuple[Counts, Counts]:
    """Passes so far [path, n - 1] and n."""
    passed = np.random.default_rng(seed).random((PATHS, n_max)) < p
    return passed.cumsum(axis=1), np.arange(1, n_max + 1)


def ever_missed(passes: Counts, n: Counts, p: float) -> float:
    """Share of paths whose interval misses p at any n; each (passes, n) is solved once."""
    base = int(n[-1]) + 1
    met, where = np.unique(passes * base + n, return_inverse=True)
    lower, upper = BET.intervals(np.stack([met % base - met // base, met // base], axis=1))
    missed = (lower > p) | (upper < p)
    return float(missed[where.reshape(passes.shape)].any(axis=1).mean())


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_the_mean_rarely_ever_leaves(p: float) -> None:
    passes, n = pass_fail_paths(p, 2_000, seed=11)
    assert 0.0 < ever_missed(passes, n, p) <= ALLOWED


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_an_interval_meant_for_one_look_fails_the_same_test(p: float) -> None:
    """Or else the test above would prove nothing."""
    passes, n = pass_fail_paths(p, 2_000, seed=11)
    seen = passes / n
    radius = 1.96 * np.sqrt(seen * (1 - seen) / n)
    missed = (np.abs(seen - p) > radius) & (n >= 30)
    assert missed.any(axis=1).mean() > 0.30


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param([0.15, 0.2, 0.65], id="judge"),
        pytest.param([0.04, 0.87, 0.09], id="difference"),
        pytest.param([0.3] + [0.0] * 3 + [0.7 / 5] * 5, id="many levels"),
    ],
)
def test_the_mean_rarely_ever_leaves_on_finer_scales(shares: list[float]) -> None:
    rng = np.random.default_rng(5)
    peeks = np.unique(np.geomspace(1, 3_000, 40).astype(int))
    steps = np.diff(peeks, prepend=0)
    truth = float(np.dot(shares, level_values(len(shares))))
    counts = rng.multinomial(steps, shares, size=(400, len(steps))).cumsum(axis=1)
    lower, upper = BET.intervals(counts.reshape(-1, len(shares)))
    missed = ((lower > truth) | (upper < truth)).reshape(400, -1).any(axis=1)
    assert missed.mean() <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_a_mean_that_moves_is_followed_on_average() -> None:
    """A step from .95 to .75: the interval then speaks of the mean of the means so far."""
    rng = np.random.default_rng(7)
    n = np.arange(1, 1_501)
    means = np.where(n <= 750, 0.95, 0.75)
    passes = (rng.random((300, n.size)) < means).cumsum(axis=1)[:, 24::25]
    peeks = n[24::25]
    lower, upper = BET.intervals(np.stack([peeks - passes, passes], axis=-1).reshape(-1, 2))
    truth = np.tile((means.cumsum() / n)[24::25], 300)
    missed = ((lower > truth) | (upper < truth)).reshape(300, -1).any(axis=1)
    assert missed.mean() <= 0.05
