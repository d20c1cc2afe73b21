"""Evidence that a distribution over cells is not the known one: for reports and mix checks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from streaming_eval.stats.levels import Floats


def mix_evidence(counts: ArrayLike, shares: ArrayLike, prior: float = 1.0) -> Floats:
    """Log e-process [...] against cells having exactly these shares, at every n at once.

    It is the likelihood ratio of a Dirichlet mixture of shares against the known ones, hence a
    martingale while those are true: rejecting when it ever reaches log(1/alpha) errs with
    probability at most alpha (Lindon, Malek (2022), Anytime-valid inference for multinomial count
    data). It needs shares known without error, as a sampler's are; where they were estimated, use
    `OneVsRest`.

    Args:
        counts: per cell [..., K].
        shares: of each cell [K], >= 0, adding up to 1; a score in a cell of share 0 is proof.
        prior: pseudo-counts per cell of the mixture, > 0; more of them suit smaller deviations.

    >>> float(mix_evidence([0, 0, 0], [0.2, 0.3, 0.5]))
    0.0
    """
    n_at, known = np.asarray(counts, np.float64), np.asarray(shares, np.float64)
    if (known < 0.0).any() or not np.isclose(known.sum(), 1.0, rtol=0.0, atol=1e-9):
        raise ValueError("shares must be 0 or more and add up to 1")
    if not prior > 0.0:
        raise ValueError(f"prior must be positive, got {prior}")
    mass = prior * known.size
    mixture = (gammaln(prior + n_at) - gammaln(prior)).sum(-1)
    mixture += gammaln(mass) - gammaln(mass + n_at.sum(-1))
    evidence: Floats = mixture - xlogy(n_at, known).sum(-1)
    return evidence


def always_valid_p(log_evidence: ArrayLike) -> Floats:
    """The p-value that may be read at any time: 1 / the largest e-value so far, at most 1.

    Args:
        log_evidence: of an e-process that started at 1, at every look so far [..., looks].

    >>> float(always_valid_p([0.0, 3.0, -1.0])) == float(np.exp(-3.0))
    True
    """
    largest = np.asarray(log_evidence, np.float64).max(axis=-1)
    p: Floats = np.exp(-np.maximum(largest, 0.0))
    return p
