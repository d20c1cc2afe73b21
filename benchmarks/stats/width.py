"""How wide intervals are: beside a published one on the same streams, and beside one look's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.report import Report
from benchmarks.stats.hedged import hedged_limits
from benchmarks.stats.streams import ALPHA, Stream, judge, pass_fail
from streaming_eval.stats.bounded import bounded_intervals
from streaming_eval.stats.mixture_bet import MixtureBet

_STREAMS = 40
_HEDGED_GOALS = {100: 1.20, 1_000: 0.90, 5_000: 0.75}
_LOOKS = (300, 1_000, 10_000, 100_000)


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Ratios of widths, with the guess of mean and variance that is made when nothing is known."""
    bet = MixtureBet(ALPHA, expected_n=1_000)
    looks = _LOOKS[:2] if quick else _LOOKS
    for stream in (pass_fail(0.9), judge()):
        _against_hedged(stream, bet, report)
    for stream, goal in [(pass_fail(p), 1.82) for p in (0.5, 0.8, 0.9, 0.95)] + [
        (judge(), 1.82),
        (pass_fail(0.98), 2.0),
    ]:
        _against_one_look(stream, bet, looks, goal, report)
    fair = MixtureBet(ALPHA, 1_000, mean_guess=0.75, variance_guess=float(judge().values.var()))
    _against_one_look(judge(), fair, (1_000,), 1.65, report)
    _against_one_look(pass_fail(0.98), bet, (1_000,), 1.65, report)


def _against_hedged(stream: Stream, bet: MixtureBet, report: Report) -> None:
    longest = max(_HEDGED_GOALS)
    (values, levels) = next(stream.blocks(_STREAMS, longest, seed=31))
    for n, goal in _HEDGED_GOALS.items():
        theirs = np.mean([np.subtract(*hedged_limits(row[:n], ALPHA)[::-1]) for row in values])
        counts = np.stack([np.bincount(row[:n], minlength=stream.levels) for row in levels])
        lower, upper = bounded_intervals(counts, bet)
        ratio = float((upper - lower).mean() / theirs)
        _report(report, f"{stream.name}, n = {n:,}: width / hedged betting", ratio, goal)


def _against_one_look(
    stream: Stream, bet: MixtureBet, looks: tuple[int, ...], goal: float, report: Report
) -> None:
    rng = np.random.default_rng(32)
    shares = np.unique(stream.values, return_counts=True)[1]
    ratios: list[float] = []
    for n in looks:
        counts = rng.multinomial(n, shares / shares.sum(), _STREAMS * 10)
        lower, upper = bounded_intervals(counts, bet)
        one_look = 2 * 1.96 * float(stream.values.std()) / np.sqrt(n)
        ratios.append(float((upper - lower).mean() / one_look))
    at = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    guess = f", guess {bet.mean_guess:g}" if stream.levels > 2 else ""
    what = f"{stream.name}{guess}, n = {', '.join(f'{n:,}' for n in looks)}: width / Wald's"
    report.add("S2", what, at, f"<= {goal}", met=max(ratios) <= goal)


def _report(report: Report, what: str, ratio: float, goal: float) -> None:
    report.add("S2", what, f"{ratio:.2f}", f"<= {goal:.2f}", met=ratio <= goal)
