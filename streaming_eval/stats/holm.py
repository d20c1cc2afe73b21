"""Several hypotheses at once, with no false rejection at all in most families."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.levels import Floats


def holm(p: ArrayLike) -> Floats:
    """P-values that may be compared with alpha together, one per hypothesis.

    The chance that any true hypothesis gets alpha or less is at most alpha, whatever the
    dependence; of always-valid p-values, at all times together.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.

    >>> holm([0.01, 0.04, 0.02]).tolist()
    [0.03, 0.04, 0.04]
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    left = values.size - np.arange(values.size)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * left), 1.0)
    return adjusted
