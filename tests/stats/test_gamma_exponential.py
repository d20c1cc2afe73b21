"""The boundary: published values, and that a table of it never promises too much."""

import numpy as np
import pytest
from scipy.optimize import brentq

from streaming_eval.stats.gamma_exponential import GammaExponential


def test_the_mixture_has_the_published_value() -> None:
    """The tests of confseq (test/uniform_boundaries_unittest.cpp, made in R) have scale 2.

    What is s / 2, v / 4 and rho / 4 there is s, v and rho here.
    """
    found = GammaExponential(0.05, best_v=100 / 4).log_mixture(10 / 2, 100 / 4)
    assert float(found) == pytest.approx(-0.2490165, abs=1e-6)


def test_the_boundary_has_the_published_value_rounded_up() -> None:
    height = 2 * float(GammaExponential(0.05, best_v=100 / 4).height(100 / 4))
    assert 33.02017 - 1e-5 <= height <= 33.02017 * 1.001


@pytest.mark.parametrize("v", [0.0, 1e-3, 0.7, 12.3, 4_567.8, 1e8])
def test_the_table_is_never_below_the_boundary(v: float) -> None:
    boundary = GammaExponential(0.025, best_v=160)
    exact = brentq(lambda s: float(boundary.log_mixture(s, v)) - np.log(40), 0, 1e6)
    height = float(boundary.height(v))
    assert exact - 1e-6 <= height <= max(exact * 1.002, float(boundary.height(1e-3)))


def test_beyond_the_table_nothing_is_known() -> None:
    assert np.isinf(GammaExponential(0.025, 160).height(1e12))


@pytest.mark.parametrize(("alpha", "best_v"), [(0.5, 1.0), (0.0, 1.0), (0.1, 0.0)])
def test_what_cannot_be_is_refused(alpha: float, best_v: float) -> None:
    with pytest.raises(ValueError, match="must"):
        GammaExponential(alpha, best_v)
