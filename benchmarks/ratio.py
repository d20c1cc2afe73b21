"""Ratios of medians over interleaved pairs, with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_RESAMPLES = 10_000
_SMALL = 0.1


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median of ours over median of theirs; lower and upper are a 95% bootstrap interval."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        """Two decimals, or three where the ratio is small.

        >>> str(Ratio(0.68, 0.6, 0.7)), str(Ratio(0.0123, 0.01, 0.02))
        ('0.68 (0.60 to 0.70)', '0.012 (0.010 to 0.020)')
        """
        places = 2 if self.lower >= _SMALL else 3
        value, lower, upper = (f"{x:.{places}f}" for x in (self.value, self.lower, self.upper))
        return f"{value} ({lower} to {upper})"


def interleaved(
    ours: Callable[[], float],
    theirs: Callable[[], float],
    pairs: int,
    progress: Callable[[str], None] | None = None,
) -> tuple[list[float], list[float]]:
    """Runs A B A B ...; the first pair warms up and is dropped.

    Args:
        ours: one run, returning its figure.
        theirs: likewise for the baseline.
        pairs: counted pairs.
        progress: is told of each pair.
    """
    runs: list[tuple[float, float]] = []
    for number in range(pairs + 1):
        runs.append((ours(), theirs()))
        if progress is not None:
            name = f"pair {number} of {pairs}" if number else "warm-up"
            progress(f"{name}: {runs[-1][0]:,.4g} against {runs[-1][1]:,.4g}")
    return [run[0] for run in runs[1:]], [run[1] for run in runs[1:]]


def ratio(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> Ratio:
    """The ratio of medians and its percentile bootstrap interval over pairs."""
    a, b = np.asarray(ours), np.asarray(theirs)
    chosen = np.random.default_rng(seed).integers(0, len(a), (_RESAMPLES, len(a)))
    resampled = np.median(a[chosen], axis=1) / np.median(b[chosen], axis=1)
    lower, upper = np.percentile(resampled, (2.5, 97.5))
    return Ratio(float(np.median(a) / np.median(b)), float(lower), float(upper))
