"""Alarm rules on many streams of levels at once: ours, and those it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming_eval.stats.e_detector import LOG_ZERO, EDetector, log_evidence, step
from streaming_eval.stats.levels import Counts, Floats, level_values


class Rule(Protocol):
    """Takes in one score of every stream and says how alarmed it is about each."""

    streams: int

    def take(self, levels: Counts) -> Floats:
        """Evidence [streams] after one more level [streams] of each."""
        ...

    def keep(self, quiet: NDArray[np.bool_]) -> None:
        """Forget all streams but these [streams]."""
        ...


class Detector:
    """Our e-detector, looked at after every score; panes that are not full are provisional."""

    def __init__(self, detectors: Sequence[EDetector], levels: int, pane: int = 1) -> None:
        one_each = np.eye(levels, dtype=np.int64)
        self.factors = np.stack([d.increments(one_each) for d in detectors])  # [streams, K, bets]
        self.closed = np.full((len(detectors), self.factors.shape[-1]), LOG_ZERO)
        self.so_far = np.zeros_like(self.closed)
        self.streams, self.pane, self.n = len(detectors), pane, 0

    def take(self, levels: Counts) -> Floats:
        self.n += 1
        self.so_far += self.factors[np.arange(len(levels)), levels]
        now = step(self.closed, self.so_far)
        if self.n % self.pane == 0:
            self.closed, self.so_far = now, np.zeros_like(now)
        return log_evidence(now)

    def keep(self, quiet: NDArray[np.bool_]) -> None:
        self.factors, self.closed = self.factors[quiet], self.closed[quiet]
        self.so_far = self.so_far[quiet]


class ECusum(Detector):
    """The same bets, but the best start counts instead of the sum over all starts."""

    def take(self, levels: Counts) -> Floats:
        grown = np.maximum(self.closed, 0.0)
        self.closed = grown + self.factors[np.arange(len(levels)), levels]
        return log_evidence(self.closed)


class Cusum:
    """Page's CUSUM of known gains per level: the best there is where both mixes are known."""

    def __init__(self, gains: Floats, streams: int) -> None:
        self.streams, self.gains, self.sums = streams, gains, np.zeros(streams)

    def take(self, levels: Counts) -> Floats:
        self.sums = np.maximum(self.sums, 0.0) + self.gains[levels]
        return self.sums

    def keep(self, quiet: NDArray[np.bool_]) -> None:
        self.sums = self.sums[quiet]


class RollingZ:
    """How many standard errors the mean of the last `window` scores is below the known mean."""

    def __init__(self, shares: Floats, streams: int, window: int = 500) -> None:
        self.streams, self.values = streams, level_values(len(shares))
        self.mean = float(shares @ self.values)
        deviation = float(shares @ (self.values - self.mean) ** 2)
        self.error, self.window, self.n = (deviation / window) ** 0.5, window, 0
        self.last, self.sums = np.zeros((streams, window)), np.zeros(streams)

    def take(self, levels: Counts) -> Floats:
        new, slot = self.values[levels], self.n % self.window
        self.sums += new - self.last[:, slot]
        self.last[:, slot] = new
        self.n += 1
        if self.n < self.window:
            return np.full(len(levels), -np.inf)
        z: Floats = (self.mean - self.sums / self.window) / self.error
        return z

    def keep(self, quiet: NDArray[np.bool_]) -> None:
        self.last, self.sums = self.last[quiet], self.sums[quiet]


class PageHinkley:
    """Sum of what each score lacks to the running mean, less .005, above its lowest: 50 alarms."""

    def __init__(self, levels: int, streams: int) -> None:
        self.streams, self.values = streams, level_values(levels)
        self.n, self.total = 0, np.zeros(streams)
        self.sums, self.least = np.zeros(streams), np.zeros(streams)

    def take(self, levels: Counts) -> Floats:
        self.n += 1
        new = self.values[levels]
        self.total += new
        self.sums += self.total / self.n - new - 0.005
        self.least = np.minimum(self.least, self.sums)
        return self.sums - self.least

    def keep(self, quiet: NDArray[np.bool_]) -> None:
        self.total, self.sums = self.total[quiet], self.sums[quiet]
        self.least = self.least[quiet]


def first_alarms(
    rule: Rule,
    mixes: tuple[Floats, Floats],
    change: int,
    n_max: int,
    limits: Sequence[float],
    rng: np.random.Generator,
) -> Floats:
    """Scores until evidence first reaches each limit [limits, streams]; infinite where never.

    Args:
        rule: fresh, of as many streams as it was made for.
        mixes: shares of the levels before and after the change.
        change: scores before the change.
        n_max: scores of a stream at most.
        limits: of evidence.
        rng: draws the scores.
    """
    edges = [mix.cumsum()[:-1] for mix in mixes]
    quiet = np.arange(rule.streams)
    lengths = np.full((len(limits), rule.streams), np.inf)
    goals = np.asarray(limits)[:, None]
    for n in range(1, n_max + 1):
        drawn = rng.random(rule.streams)[quiet]  # a stream is the same one under every rule
        levels = np.searchsorted(edges[n > change], drawn, side="right")
        reached = rule.take(levels) >= goals
        if not reached.any():
            continue
        seen = lengths[:, quiet]
        lengths[:, quiet] = np.where(reached & np.isinf(seen), n, seen)
        left = np.isinf(lengths[:, quiet]).any(axis=0)
        quiet = quiet[left]
        if not quiet.size:
            break
        rule.keep(left)
    return lengths


def delays(lengths: Floats, change: int) -> Floats:
    """Scores from the change to the alarm, of the streams that had no alarm before it."""
    found = lengths[np.isfinite(lengths) & (lengths > change)]
    return found - change
