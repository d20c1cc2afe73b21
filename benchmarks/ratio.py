"""Ratios of medians over interleaved pairs, with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median of ours over median of theirs; lower and upper are a 95% bootstrap interval."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.lower:.2f} to {self.upper:.2f})"


def interleaved(
    ours: Callable[[], float], theirs: Callable[[], float], pairs: int
) -> tuple[list[float], list[float]]:
    """Runs A B A B ...; the first pair warms up and is dropped.

    Args:
        ours: one run, returning its figure.
        theirs: likewise for the baseline.
        pairs: counted pairs.
    """
    runs = [(ours(), theirs()) for _ in range(pairs + 1)][1:]
    return [run[0] for run in runs], [run[1] for run in runs]


def ratio(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> Ratio:
    """The ratio of medians and its percentile bootstrap interval over pairs."""
    a, b = np.asarray(ours), np.asarray(theirs)
    chosen = np.random.default_rng(seed).integers(0, len(a), (_RESAMPLES, len(a)))
    resampled = np.median(a[chosen], axis=1) / np.median(b[chosen], axis=1)
    lower, upper = np.percentile(resampled, (2.5, 97.5))
    return Ratio(float(np.median(a) / np.median(b)), float(lower), float(upper))
