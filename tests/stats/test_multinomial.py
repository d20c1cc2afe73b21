"""Evidence against a known mix of cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multinomial

from streaming_eval.stats.multinomial import always_valid_p, mix_evidence

MIX = np.array([0.2, 0.3, 0.5])


@given(st.lists(st.integers(0, 2), max_size=40), st.sampled_from([0.5, 1.0, 20.0]))
def test_it_is_the_likelihood_ratio_of_predictions_made_score_by_score(
    cells: list[int], prior: float
) -> None:
    """Laplace's rule of succession against the known shares, one score after the other."""
    counts, ratio = np.zeros(3), 0.0
    for cell in cells:
        ratio += np.log((prior + counts[cell]) / (3 * prior + counts.sum())) - np.log(MIX[cell])
        counts[cell] += 1
    assert float(mix_evidence(counts, MIX, prior)) == pytest.approx(ratio, abs=1e-9)


@pytest.mark.parametrize("n", [1, 7, 30])
def test_under_the_known_mix_the_e_value_has_mean_1(n: int) -> None:
    """Over every table of n scores."""
    tables = np.array([[i, j, n - i - j] for i in range(n + 1) for j in range(n + 1 - i)])
    chances = multinomial.pmf(tables, n, MIX)
    assert chances @ np.exp(mix_evidence(tables, MIX)) == pytest.approx(1.0)


@pytest.mark.slow
def test_watched_all_the_time_it_rarely_rejects_the_truth_and_finds_a_wrong_mix() -> None:
    rng = np.random.default_rng(6)

    def rejected(shares: list[float]) -> float:
        cells = rng.choice(3, p=shares, size=(400, 2_000))
        counts = (cells[..., None] == np.arange(3)).cumsum(axis=1)
        return float((mix_evidence(counts, MIX) >= np.log(20)).any(axis=1).mean())

    assert rejected([0.2, 0.3, 0.5]) <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    assert rejected([0.25, 0.3, 0.45]) >= 0.9


def test_a_cell_that_cannot_be_is_proof() -> None:
    assert float(mix_evidence([5, 1], [1.0, 0.0])) == np.inf
    assert float(mix_evidence([5, 0], [1.0, 0.0])) < 0


@pytest.mark.parametrize("shares", [[0.5, 0.4], [1.5, -0.5]])
def test_shares_that_are_no_mix_are_refused(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        mix_evidence([1, 2], shares)


def test_a_prior_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="prior"):
        mix_evidence([1, 2], [0.5, 0.5], prior=0.0)


def test_the_p_value_remembers_the_largest_evidence() -> None:
    looks = np.log([[1.0, 40.0, 2.0], [1.0, 0.5, 0.1]])
    assert always_valid_p(looks) == pytest.approx([1 / 40, 1.0])
