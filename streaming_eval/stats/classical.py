"""Tests for a report that is read once, at a number of pairs that was planned: no peeking."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from streaming_eval.stats.interval import Interval

VALID = "for one look at a planned number of pairs"


@dataclass(frozen=True, slots=True)
class OneLook:
    """Result of a classical test. Valid for one look at a planned n, and for nothing else.

    Attributes:
        test: its name.
        n: pairs that it used.
        p: two-sided p-value.
        p_worse: one-sided p-value of "own side is not worse".
        effect_size: without unit, above 0 = own side is better; None where there is none.
        effect_name: what the effect size is.
        effect_interval: 1 - alpha limits of the effect size; None where the test has none.
    """

    test: str
    n: int
    p: float
    p_worse: float
    effect_size: float | None
    effect_name: str
    effect_interval: Interval | None


def exact_mcnemar(won: int, lost: int, alpha: float) -> OneLook:
    """McNemar's test by the binomial distribution, with the odds of winning a pair that differs.

    McNemar (1947), Note on the sampling error of the difference between correlated proportions or
    percentages; limits of Clopper, Pearson (1934), The use of confidence or fiducial limits
    illustrated in the case of the binomial.

    >>> result = exact_mcnemar(5, 15, 0.05)
    >>> round(result.p, 5), round(result.effect_size, 3)
    (0.04139, 0.333)
    """
    n = won + lost
    if not n:
        return OneLook("exact McNemar", 0, 1.0, 1.0, None, "odds ratio", None)
    two_sided = stats.binomtest(won, n)
    limits = two_sided.proportion_ci(1.0 - alpha)
    return OneLook(
        test="exact McNemar",
        n=n,
        p=float(two_sided.pvalue),
        p_worse=float(stats.binomtest(won, n, alternative="less").pvalue),
        effect_size=won / lost if lost else inf,
        effect_name="odds ratio",
        effect_interval=Interval(_odds(float(limits.low)), _odds(float(limits.high))),
    )


def paired_t(differences: ArrayLike) -> OneLook:
    """Student's t-test of differences, with Cohen's d: the mean in standard deviations.

    Student (1908), The probable error of a mean; Cohen (1988), Statistical power analysis for the
    behavioral sciences (d_z).

    Args:
        differences: own minus other's value, 1 = good.
    """
    d = np.asarray(differences, np.float64)
    spread = float(d.std(ddof=1)) if d.size > 1 else 0.0
    if not spread:  # t is 0 / 0 or infinite: nothing can be said of chance
        return OneLook("paired t", d.size, nan, nan, None, "Cohen's d", None)
    return OneLook(
        test="paired t",
        n=d.size,
        p=float(stats.ttest_1samp(d, 0.0).pvalue),
        p_worse=float(stats.ttest_1samp(d, 0.0, alternative="less").pvalue),
        effect_size=float(d.mean()) / spread,
        effect_name="Cohen's d",
        effect_interval=None,
    )


def wilcoxon(differences: ArrayLike) -> OneLook:
    """Wilcoxon's signed-rank test, with the rank-biserial correlation.

    Wilcoxon (1945), Individual comparisons by ranking methods; Kerby (2014), The simple difference
    formula: an approach to teaching nonparametric correlation. Differences of 0 are left out.

    Args:
        differences: own minus other's value, 1 = good.
    """
    d = np.asarray(differences, np.float64)
    d = d[d != 0.0]
    if not d.size:
        return OneLook("Wilcoxon signed rank", 0, 1.0, 1.0, None, "rank-biserial", None)
    ranks = stats.rankdata(np.abs(d))
    return OneLook(
        test="Wilcoxon signed rank",
        n=d.size,
        p=float(stats.wilcoxon(d).pvalue),
        p_worse=float(stats.wilcoxon(d, alternative="less").pvalue),
        effect_size=float((np.sign(d) * ranks).sum() / ranks.sum()),
        effect_name="rank-biserial",
        effect_interval=None,
    )


def _odds(share: float) -> float:
    return share / (1.0 - share) if share < 1.0 else inf
