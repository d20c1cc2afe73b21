"""Has an ordered quantity moved: an alarm on ranks, which needs no bounds and little baseline.

Under no change, the rank of a score among the baseline and all scores so far, ties broken at
random, is uniform and independent of all ranks before it (Vovk, Nouretdinov, Gammerman (2003),
Testing exchangeability on-line). Bets on those ranks are martingales, and their Shiryaev-Roberts
sums an alarm (Vovk, Petej, Nouretdinov, Ahlberg, Carlsson, Gammerman (2021), Retrain or not
retrain: conformal test martingales for change-point detection).

Ranks need an order. Any order will do that is not chosen by the scores, so the order inside a pane
is a random permutation drawn from the pane's seed: the pane's counts are all that is needed, and
arrival, batches and partitions change nothing. What does depend on an order is the order of the
panes, and an open pane cannot be looked at: with each score that comes its permutation is another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.e_detector import LOG_ZERO, log_evidence, step
from streaming_eval.stats.levels import Counts, Floats, mixed, uniforms

_SHARES = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8])  # of the wealth; any below 1 keeps it positive
_SHAPES = 4  # higher, lower, farther apart, closer together
_BETS = _SHAPES * len(_SHARES)
_ORDER, _TIES = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03  # salts; any two different numbers
_BLOCK = 4_096  # ranks worked out at a time, which bounds memory


@dataclass(frozen=True, slots=True)
class RankAlarm:
    """What is kept of one ordered quantity: counts of all scores so far, and where the bets stand.

    The promise is that of an e-detector, a false alarm within T panes with probability at most
    T / A, for an alarm that reads ranks alone. Where it is joined with one that reads the scores,
    use `e_detector.either`, not an average.

    Supported: levels, deciles or any ordered cells; a short baseline.
    Not supported: cells without an order (a mix that changes can leave ranks as they were); a slow
    change (scores after it join those they are compared with, so evidence fades).

    Attributes:
        seen: counts per ordered cell [K] of the baseline and of all closed panes.
        log_m: log M per bet.
    """

    seen: tuple[int, ...]
    log_m: tuple[float, ...] = (LOG_ZERO,) * _BETS

    def __post_init__(self) -> None:
        if len(self.seen) < 2 or min(self.seen) < 0:
            raise ValueError(f"ranks need counts >= 0 of two cells or more, got {self.seen}")

    def tick(self, counts: ArrayLike, seed: int) -> RankAlarm:
        """The alarm after a closed pane.

        Args:
            counts: of the pane per cell [K].
            seed: of its permutation; a function of series and pane, never of scores.
        """
        n_at = np.asarray(counts, np.int64)
        if n_at.shape != (len(self.seen),):
            raise ValueError(f"{len(self.seen)} cells cannot read counts of shape {n_at.shape}")
        increments = _log_factors(ranks(np.asarray(self.seen, np.int64), n_at, seed)).sum(axis=0)
        return replace(
            self,
            seen=tuple((np.asarray(self.seen) + n_at).tolist()),
            log_m=tuple(step(np.asarray(self.log_m), increments).tolist()),
        )

    @property
    def log_evidence(self) -> float:
        """Log evidence of a change after the last closed pane; -700 stands for none."""
        return float(log_evidence(np.asarray(self.log_m)))


def ranks(seen: Counts, counts: Counts, seed: int) -> Floats:
    """Each score's rank in (0, 1) among those seen, those before it in its pane, and itself.

    Args:
        seen: counts per ordered cell [K] before the pane.
        counts: of the pane [K].
        seed: of the pane's order and of ties.
    """
    cells = np.repeat(np.arange(len(counts)), counts)
    hashes = np.arange(len(cells), dtype=np.uint64) + mixed(
        np.array([seed % 2**64], np.uint64), _ORDER
    )
    cells = cells[np.argsort(mixed(hashes, _ORDER), kind="stable")]
    ties = uniforms(mixed(hashes, _TIES))
    pieces = []
    for first in range(0, len(cells), _BLOCK):
        block = cells[first : first + _BLOCK]
        pieces.append(_block_ranks(seen, block, ties[first : first + _BLOCK]))
        seen = seen + np.bincount(block, minlength=len(seen))
    return np.concatenate(pieces) if pieces else np.empty(0)


def _block_ranks(seen: Counts, cells: Counts, ties: Floats) -> Floats:
    """Ranks of a sequence of scores, given the counts before it."""
    one_hot = cells[:, None] == np.arange(len(seen))
    so_far = seen + one_hot.cumsum(axis=0)
    rows = np.arange(len(cells))
    level = so_far[rows, cells]
    below = so_far.cumsum(axis=1)[rows, cells] - level
    shares: Floats = (below + ties * level) / (seen.sum() + rows + 1)
    return shares


def _log_factors(ranks: Floats) -> Floats:
    """Log factor of each bet [n, 24]: each shape has mean 0 over a uniform rank and ends at 1."""
    apart, higher = 4.0 * np.abs(ranks - 0.5) - 1.0, 2.0 * ranks - 1.0
    shapes = np.stack([higher, -higher, apart, -apart], axis=-1)
    gains = shapes[..., None] * _SHARES
    log_factors: Floats = np.log1p(gains).reshape(len(ranks), _BETS)
    return log_factors
