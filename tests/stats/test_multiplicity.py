"""Many series, many experiments: what is promised of all of them together."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.stats.e_bh import broken_now, e_bh
from streaming_eval.stats.e_lond import ELond
from streaming_eval.stats.fleet_budget import FleetBudget, roll_up
from streaming_eval.stats.holm import holm

EVIDENCE = st.lists(st.floats(-10.0, 12.0), max_size=12)


@given(EVIDENCE, st.floats(0.01, 0.5))
def test_e_bh_names_the_largest_set_of_which_each_has_enough(log_e: list[float], q: float) -> None:
    """Straight from the definition, over all sizes."""
    e, total = np.exp(log_e), len(log_e)
    sizes = [k for k in range(1, total + 1) if (e >= total / (q * k) * (1 - 1e-9)).sum() >= k]
    named = e_bh(log_e, q)
    assert named.sum() == (max(sizes) if sizes else 0)
    if named.any() and not named.all():
        assert min(e[named]) >= max(e[~named])


def test_e_bh_keeps_the_share_of_false_finds() -> None:
    """10 of 50 hypotheses are false; the other E-values have mean 1 and depend on each other."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(3_000, 1))
    noise = 0.8 * shared + 0.6 * rng.normal(size=(3_000, 50))
    log_e = 2.0 * noise - 2.0  # lognormal with mean 1
    log_e[:, :10] += 6.0
    named = np.stack([e_bh(row, 0.2) for row in log_e])
    false = named[:, 10:].sum(axis=1) / np.maximum(named.sum(axis=1), 1)
    assert named[:, :10].mean() > 0.3
    assert false.mean() <= 0.2


def test_one_series_alone_needs_more_than_its_alarm_and_ten_need_as_much() -> None:
    needed = 12.0 - log(0.1)
    assert broken_now([needed - 0.01], [12.0], 0.1).tolist() == [False]
    assert broken_now([needed], [12.0], 0.1).tolist() == [True]
    assert broken_now([12.0] * 10, [12.0] * 10, 0.1).all()
    assert not broken_now([12.0] * 9, [12.0] * 9, 0.1).any()
    assert broken_now([], [], 0.1).tolist() == []


def test_broken_series_lower_the_bar_for_each_other() -> None:
    thresholds = np.full(100, 12.0)
    many = np.where(np.arange(100) < 50, 11.0, 0.0)
    assert broken_now(many, thresholds, 0.1).sum() == 50
    assert not broken_now(many[:5], thresholds[:5], 0.1).any()


@given(EVIDENCE)
def test_series_that_were_never_seen_change_nothing(log_m: list[float]) -> None:
    """They are counted in the thresholds, so having no evidence is as good as not being there."""
    unseen = [*log_m, -700.0, -700.0]
    named = broken_now(unseen, np.full(len(unseen), 8.0), 0.1)
    assert named[: len(log_m)].tolist() == broken_now(log_m, np.full(len(log_m), 8.0), 0.1).tolist()


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_holm_is_the_smallest_alpha_that_steps_down_to_a_hypothesis(p: list[float]) -> None:
    adjusted = holm(p)
    order = np.argsort(p, kind="stable")
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, p[place] * (len(p) - rank))
        assert adjusted[place] == pytest.approx(min(largest, 1.0))


def test_levels_of_an_endless_stream_never_sum_to_more_than_q() -> None:
    stream, spent = ELond(0.05), 0.0
    for _ in range(2_000):
        spent += stream.alpha
        _, stream = stream.close(-1.0)
    assert 0.045 < spent <= 0.05


def test_an_experiment_is_found_at_one_over_its_level_and_raises_the_next() -> None:
    just_under, enough = (
        ELond(0.05, 3, 1).close(-log(ELond(0.05, 3, 1).alpha) + e) for e in (-1e-9, 1e-9)
    )
    assert (just_under[0], enough[0]) == (False, True)
    assert enough[1] == ELond(0.05, 4, 2)
    assert enough[1].alpha == pytest.approx(1.5 * just_under[1].alpha)


def test_with_e_values_as_inverse_p_values_decisions_are_those_of_lond() -> None:
    """The rule of Javanmard, Montanari (2015), On online control of false discovery rate."""
    found: list[bool] = []
    stream = ELond(0.05)
    for t, p in enumerate([1e-7, 6e-4, 0.1], start=1):
        share = t**-1.6 / sum(k**-1.6 for k in range(1, 200_000))
        assert stream.alpha == pytest.approx(0.05 * share * (sum(found) + 1), rel=1e-3)
        is_found, stream = stream.close(-log(p))
        found.append(is_found)
    assert found == [True, True, False]


@pytest.mark.slow
def test_e_lond_keeps_the_share_of_false_finds() -> None:
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(300):
        stream, named = ELond(0.2), []
        truths = rng.random(200) < 0.3
        for false_hypothesis in truths:
            log_e = 2.0 * rng.normal() - 2.0 + 8.0 * false_hypothesis
            is_found, stream = stream.close(log_e)
            named.append(is_found)
        shares.append((np.array(named) & ~truths).sum() / max(sum(named), 1))
    assert np.mean(shares) <= 0.2


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=20), st.floats(1.0, 1e6))
def test_shares_of_all_series_add_up_to_the_budget(weights: list[float], panes: float) -> None:
    budget = FleetBudget(panes, sum(weights) * (1 + 1e-12))
    spent = sum(np.exp(-budget.log_threshold(w)) for w in weights)
    assert spent == pytest.approx(1 / panes)


def test_the_budget_says_what_to_expect() -> None:
    budget = FleetBudget(panes=10_080, total_weight=30.0)
    assert budget.expected_false_alarms(43_200) == pytest.approx(4.2857, abs=1e-4)
    assert budget.chance_of_any(43_200) == 1.0
    assert budget.chance_of_any(1_008) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="weight"):
        budget.log_threshold(31.0)
    with pytest.raises(ValueError, match="budget"):
        FleetBudget(0.5, 1.0)


def test_a_group_lies_between_its_series_and_follows_their_weights() -> None:
    assert float(roll_up([0.0, log(9.0)], [3, 1])) == pytest.approx(log(3.0))
    assert float(roll_up([5.0, -700.0], [1, 0])) == pytest.approx(5.0)
    with pytest.raises(ValueError, match="weights"):
        roll_up([1.0], [0.0])
