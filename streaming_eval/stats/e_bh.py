"""Which of many hypotheses are false, with few false alarms among those named."""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

Flags = NDArray[np.bool_]


def e_bh(log_e: ArrayLike, q: float) -> Flags:
    """The hypotheses of this family that are called false, one flag each.

    The largest k for which k of them have E >= K / (q k); those k are named. The expected share of
    true hypotheses among the named is at most q, whatever the dependence, at any moment at which
    all the processes are read together. E times weights that sum to K will do as well.

    Source: Wang, Ramdas (2022), False discovery rate control with e-values.

    Args:
        log_e: log evidence against each of all K hypotheses of the family [K].
        q: in (0, 1).

    >>> e_bh(np.log([100.0, 1.0, 45.0, 12.0]), 0.1).tolist()
    [True, False, True, False]
    """
    values = np.asarray(log_e, np.float64)
    if not 0.0 < q < 1.0:
        raise ValueError(f"q must lie in (0, 1), got {q}")
    if not values.size:
        return np.zeros(0, np.bool_)
    order = np.argsort(-values, kind="stable")
    needed = log(values.size / q) - np.log(np.arange(1, values.size + 1))
    reached = np.flatnonzero(values[order] >= needed - 1e-12)
    named = np.zeros(values.size, np.bool_)
    if reached.size:
        named[order[: reached[-1] + 1]] = True
    return named


def broken_now(log_m: ArrayLike, log_thresholds: ArrayLike, q: float) -> Flags:
    """The series that may be called broken at this moment, one flag each.

    A healthy series' M_k is expected to be at most the number T of panes since it (re)started, so
    M_k / T may enter e-BH like an E, with the fleet's weights: the k series are named whose
    log M_k comes within log(q k) of the threshold of their alarm, for the largest such k. With a
    fleet budget of A panes the expected share of healthy series among the named is then at most
    q T / A: q for a look one budget after the start. Error grows with the time waited, as for any
    alarm with a finite run length.

    Source: Dandapanthula, Ramdas (2025), Multiple testing in multi-stream sequential change
    detection; the horizon A is our choice.

    Args:
        log_m: log evidence of each alarmed series' detector [K].
        log_thresholds: at which each alarm opens: log of A W / w_k, with W the sum of the weights
            of all series that may exist, seen or not.
        q: in (0, 1).
    """
    over = np.asarray(log_m, np.float64) - np.asarray(log_thresholds, np.float64)
    # Unseen series have no evidence: they count in the thresholds and are never named.
    return e_bh(over + log(over.size), q) if over.size else np.zeros(0, np.bool_)
