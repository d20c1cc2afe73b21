"""Evidence is expected to grow by at most 1 a pane: exactly, over every outcome there is."""

from itertools import product

import numpy as np
import pytest

from streaming_eval.stats.e_detector import LOG_ZERO, EDetector, averaged, log_evidence, step
from streaming_eval.stats.levels import Floats

PANE = 3  # scores
NULLS = (0.9, 0.5, 0.8)  # of each pane: an hour's baseline each


def detectors(rises: bool) -> list[EDetector]:
    """Another null mean and other bets in every pane, one of them without a variance."""
    make = EDetector.for_rises if rises else EDetector.for_drops
    return [make(NULLS[0], 0.09), make(NULLS[1]), make(NULLS[2], 0.02)]


def evidence(scores: tuple[int, ...], plan: list[EDetector]) -> list[float]:
    """Log evidence after each score, provisional inside a pane."""
    looks = []
    log_m = np.full(len(plan[0].bets), LOG_ZERO)
    for pane, detector in enumerate(plan):
        part = scores[pane * PANE : (pane + 1) * PANE]
        for n in range(1, len(part) + 1):
            counts = [n - sum(part[:n]), sum(part[:n])]
            looks.append(float(log_evidence(step(log_m, detector.increments(counts)))))
        log_m = step(log_m, detector.increments([PANE - sum(part), sum(part)]))
    return looks


def probability(scores: tuple[int, ...], slack: Floats) -> float:
    """Of a path whose mean is the pane's null, or better by `slack` where the last score failed."""
    total = 1.0
    for at, score in enumerate(scores):
        helped = slack[at] if at and scores[at - 1] == 0 else 0.0
        mean = NULLS[at // PANE] + helped * (1 - NULLS[at // PANE])
        total *= mean if score else 1 - mean
    return total


@pytest.mark.parametrize("slack", [0.0, 0.7])
def test_evidence_is_expected_to_be_at_most_the_panes_begun_at_any_look(slack: float) -> None:
    slacks = np.full(len(NULLS) * PANE, slack)
    plan = detectors(rises=False)
    expected = np.zeros(len(slacks))
    for scores in product((0, 1), repeat=len(slacks)):
        expected += probability(scores, slacks) * np.exp(evidence(scores, plan))
    panes = np.arange(len(slacks)) // PANE + 1
    assert (expected <= panes + 1e-9).all()
    if slack == 0.0:  # at the null itself the bets are fair, so the bound is met
        assert expected == pytest.approx(panes)


def test_stopping_whenever_it_looks_best_gains_nothing() -> None:
    """Optional stopping: the first look at evidence of 3 or more, else the last one."""
    plan = detectors(rises=False)
    expected, panes = 0.0, 0.0
    for scores in product((0, 1), repeat=len(NULLS) * PANE):
        looks = np.exp(evidence(scores, plan))
        stop = int(np.argmax(looks >= 3)) if (looks >= 3).any() else len(looks) - 1
        weight = probability(scores, np.zeros(len(scores)))
        expected += weight * looks[stop]
        panes += weight * (stop // PANE + 1)
    assert expected <= panes + 1e-9


def test_worse_or_better_averaged_keeps_the_same_promise() -> None:
    drops, rises = detectors(rises=False), detectors(rises=True)
    expected = np.zeros(len(NULLS) * PANE)
    for scores in product((0, 1), repeat=len(expected)):
        both = averaged(evidence(scores, drops), evidence(scores, rises))
        expected += probability(scores, np.zeros(len(scores))) * np.exp(both)
    assert expected == pytest.approx(np.arange(len(expected)) // PANE + 1)


def test_a_plan_that_peeks_at_its_own_pane_breaks_the_promise() -> None:
    """Why a detector must be chosen before the pane: the check above can fail."""
    expected = 0.0
    for scores in product((0, 1), repeat=PANE):
        variance = 0.09 if sum(scores) < PANE else 1e3  # bold where it knows that it will win
        chosen = EDetector.for_drops(NULLS[0], variance)
        increments = chosen.increments([PANE - sum(scores), sum(scores)])
        grown = step(np.full(len(increments), LOG_ZERO), increments)
        expected += probability(scores, np.zeros(PANE)) * float(np.exp(log_evidence(grown)))
    assert expected > 1.05
