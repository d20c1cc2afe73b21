"""A candidate that is worse, and one that is not: found how soon, called worse how often by chance?

Evidence is read after every pair (pass/fail, grades) or every batch (ranks), against one read of a
classical test at the n planned for it, and against that test repeated after every tenth pair.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.report import Report
from benchmarks.stats.paired_streams import ALPHA, Pairs, ever, found_in_80_percent
from streaming_eval.stats import paired_bets
from streaming_eval.stats.levels import Floats
from streaming_eval.stats.mcnemar import McNemar, differing
from streaming_eval.stats.signed_rank import SignedRank
from streaming_eval.stats.t_process import Sums, TProcess

Evidence = Callable[[NDArray[np.int64]], Floats]
_GOAL = log(1 / ALPHA)
_LEAST_N = 30  # the naive reader waits for so many pairs
_PASS_FAIL = Pairs("pass/fail, 9 % lost, 4 % won", (0.09, 0.87, 0.04))
_GRADES = Pairs("grades 1 to 3, .10 lower", (0.04, 0.16, 0.68, 0.10, 0.02))
_SHIFT = 0.15  # of the heavy-tailed differences, in units of their scale


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Goal 6, first half."""
    streams, length = (200, 2_000) if quick else (1_000, 5_000)
    for pairs, method, evidence in (
        (_PASS_FAIL, "sequential McNemar", _mcnemar),
        (_PASS_FAIL, "bounded bets", paired_bets.log_evidence_worse),
        (_GRADES, "bounded bets", paired_bets.log_evidence_worse),
    ):
        _bounded(report, pairs, method, evidence, streams=streams, length=length)
    _heavy_tails(report, streams=100 if quick else 400, length=1_280 if quick else 3_200)


def _mcnemar(counts: NDArray[np.int64]) -> Floats:
    return McNemar().log_evidence_worse(*differing(counts))


def _bounded(
    report: Report, pairs: Pairs, method: str, evidence: Evidence, *, streams: int, length: int
) -> None:
    read = partial(_in_blocks, evidence)
    found = found_in_80_percent(read(pairs.counts(streams, 3_000, 1, seed=1)) >= _GOAL, 1)
    clean = pairs.null()
    every = 1 if length <= 2_000 else 5
    false = ever(read(clean.counts(streams, length, every, seed=2)) >= _GOAL)
    naive = ever(_z_rejects(clean, clean.counts(streams, length, 10, seed=2)))
    n = pairs.classical_n()
    what = f"{pairs.name}: {method}"
    ratio = found / n
    report.add(
        "S6",
        f"{what}, found in 80 % by",
        f"{found:,.0f} pairs, {ratio:.2f} x the {n:,.0f} of one look",
        "<= 2.0 x",
        met=ratio <= 2.0,
    )
    _add_false(report, what, false, naive, length, streams)


def _in_blocks(evidence: Evidence, counts: NDArray[np.int64]) -> Floats:
    """Evidence [stream, look], some streams at a time to save memory."""
    return np.concatenate([evidence(counts[i : i + 50]) for i in range(0, len(counts), 50)])


def _z_rejects(pairs: Pairs, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    n = counts.sum(axis=2)
    total, squares = counts @ pairs.steps, counts @ pairs.steps**2
    spread = np.sqrt(np.maximum(squares - total**2 / n, 1e-9))
    rejects: NDArray[np.bool_] = (total / spread < stats.norm.ppf(ALPHA)) & (n >= _LEAST_N)
    return rejects


def _heavy_tails(report: Report, *, streams: int, length: int) -> None:
    """Student's t with 2 degrees of freedom: the variance is infinite."""
    rng = np.random.default_rng(3)
    worse = stats.t.rvs(2, size=(streams, length), random_state=rng) - _SHIFT
    clean = stats.t.rvs(2, size=(streams, length), random_state=rng)
    n = _classical_wilcoxon_n(worse)
    for method, reached, every in (
        ("ranks, batches of 16", partial(_rank_evidence, batch=16), 16),
        ("t e-process", _t_evidence, 10),
    ):
        found = found_in_80_percent(reached(worse) >= _GOAL, every)
        false = ever(reached(clean) >= _GOAL)
        ratio, goal = found / n, 2.0 if every == 16 else None
        report.add(
            "S6",
            f"heavy tails (t2), shift {_SHIFT}: {method}, found in 80 % by",
            f"{found:,.0f} pairs, {ratio:.2f} x the {n:,.0f} of one Wilcoxon test",
            "<= 2.0 x" if goal else "",
            met=ratio <= goal if goal else None,
        )
        naive = ever(_repeated_t(clean))
        _add_false(report, f"heavy tails (t2): {method}", false, naive, length, streams)


def _rank_evidence(d: Floats, batch: int) -> Floats:
    path = np.zeros((len(d), d.shape[1] // batch))
    for row, stream in enumerate(d):
        state = SignedRank()
        for look in range(path.shape[1]):
            state = state.update(stream[look * batch : (look + 1) * batch])
            path[row, look] = state.log_evidence_worse()
    return path


def _t_evidence(d: Floats) -> Floats:
    looks = np.arange(9, d.shape[1], 10)
    totals, squares = d.cumsum(axis=1)[:, looks], (d**2).cumsum(axis=1)[:, looks]
    test = TProcess()
    return np.array(
        [
            [
                test.log_evidence_worse(Sums(int(n) + 1, float(t), float(s)))
                for n, t, s in zip(looks, row, squares[i], strict=True)
            ]
            for i, row in enumerate(totals)
        ]
    )


def _repeated_t(d: Floats) -> NDArray[np.bool_]:
    looks = np.arange(_LEAST_N - 1, d.shape[1], 10)
    total, squares = d.cumsum(axis=1)[:, looks], (d**2).cumsum(axis=1)[:, looks]
    n = looks + 1.0
    t = total / np.sqrt(n * (squares - total**2 / n) / (n - 1))
    rejects: NDArray[np.bool_] = t < stats.t.ppf(ALPHA, n - 1)
    return rejects


def _classical_wilcoxon_n(worse: Floats) -> float:
    """Pairs at which one one-sided test finds it in 80 % of cases: z grows with the root of n."""
    n = 400
    blocks = worse[:, : worse.shape[1] // n * n].reshape(-1, n)
    ranks = stats.rankdata(np.abs(blocks), axis=1)
    lost = (ranks * (blocks < 0)).sum(axis=1)
    z = (lost - n * (n + 1) / 4) / (n * (n + 1) * (2 * n + 1) / 24) ** 0.5
    needed = stats.norm.ppf(1 - ALPHA) + stats.norm.ppf(0.8) * float(z.std())
    return float(n * (needed / z.mean()) ** 2)


def _add_false(
    report: Report, what: str, false: float, naive: float, length: int, streams: int
) -> None:
    allowed = ALPHA + 3 * (ALPHA * (1 - ALPHA) / streams) ** 0.5
    report.add(
        "S6",
        f"{what}, ever called worse by chance in {length:,} pairs",
        f"{false:.1%}; a classical test after every tenth pair {naive:.0%}",
        f"<= {allowed:.1%}",
        met=false <= allowed,
    )
