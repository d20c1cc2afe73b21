"""All figures, drawn alike: the same input gives the same file, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

from benchmarks.plots import assumptions, delay, peeking, width

# Okabe, Ito (2008), Color universal design: told apart by colour-blind people, and in grey.
OURS, NAIVE, BEST, ALLOWED = "#0072B2", "#D55E00", "#009E73", "#555555"
_STYLE: dict[RcKeyType, object] = {
    "svg.hashsalt": "streaming-eval",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
Fill = Callable[[Figure, bool], None]


def draw_all(directory: Path, *, quick: bool) -> list[Path]:
    """Writes every figure as SVG; their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Fill] = {
        "peeking": _peeking,
        "delay": _delay,
        "width": _width,
        "assumptions": _assumptions,
    }
    return [_draw(directory / f"{name}.svg", fill, quick) for name, fill in figures.items()]


def _draw(path: Path, fill: Fill, quick: bool) -> Path:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 3.8), layout="constrained")
        FigureCanvasAgg(figure)
        fill(figure, quick)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    return path


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _peeking(figure: Figure, quick: bool) -> None:
    found = peeking.measure(quick=quick)
    axes = figure.subplots()
    axes.plot(found.n, 100 * found.naive, color=NAIVE, lw=2, label="interval for one look")
    axes.plot(found.n, 100 * found.ours, color=OURS, lw=2, label="ours")
    axes.axhline(5, color=ALLOWED, lw=1.2, ls="--", label="promised: 5 %")
    axes.set_xscale("log")
    axes.set_ylim(0, None)
    axes.legend(frameon=False)
    _label(
        axes,
        "Looking after every score: streams whose mean was ever outside its interval",
        "scores so far (pass rate 0.9, nothing changes)",
        "% of streams",
    )


def _delay(figure: Figure, quick: bool) -> None:
    found = delay.measure(quick=quick)
    axes = figure.subplots()
    axes.plot(found.budgets, found.ours, "o-", color=OURS, lw=2, label="ours")
    axes.plot(
        found.oracle_budgets,
        found.oracle,
        "s--",
        color=BEST,
        lw=1.5,
        label="CUSUM that knows both pass rates",
    )
    axes.plot(
        found.rolling_budgets,
        found.rolling,
        "^:",
        color=NAIVE,
        lw=1.5,
        label="z-test of the last 500 scores (2, 2.5, 3 sigma)",
    )
    axes.set_xscale("log")
    axes.set_ylim(0, None)
    axes.legend(frameon=False)
    _label(
        axes,
        "Pass rate 0.90 falls to 0.85: what rarer false alarms cost",
        "scores per false alarm (ours: promised; the others: as they turn out)",
        "mean delay in scores",
    )


def _width(figure: Figure, quick: bool) -> None:
    del quick  # takes no time
    left, right = figure.subplots(1, 2)
    n = width.sizes()
    left.plot(n, 100 * width.one_look(0.9, n), color=NAIVE, lw=2, label="interval for one look")
    left.plot(n, 100 * width.ours(0.9, n), color=OURS, lw=2, label="ours")
    left.set_xscale("log")
    left.set_yscale("log")
    ticks = (0.2, 0.5, 1, 2, 5, 10)
    left.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    left.minorticks_off()
    left.legend(frameon=False)
    _label(left, "Pass rate 0.9", "scores", "half-width in points")
    for p, style in ((0.5, "-"), (0.9, "--"), (0.98, ":")):
        ratio = width.ours(p, n) / width.one_look(p, n)
        right.plot(n, ratio, style, color=OURS, lw=2, label=f"pass rate {p:g}")
    right.set_xscale("log")
    right.set_ylim(1, 3)
    right.legend(frameon=False)
    _label(right, "The price of looking at any time", "scores", "ours / one look")


def _assumptions(figure: Figure, quick: bool) -> None:
    found = assumptions.measure(quick=quick)[::-1]
    axes = figure.subplots()
    for shift, colour, label, values in (
        (0.2, NAIVE, "interval for one look", [case.naive for case in found]),
        (-0.2, OURS, "ours", [case.ours for case in found]),
    ):
        places = [row + shift for row in range(len(found))]
        bars = axes.barh(places, [100 * v for v in values], 0.38, color=colour, label=label)
        axes.bar_label(bars, fmt="%.0f", padding=2, fontsize=8)
    axes.axvline(5, color=ALLOWED, lw=1.2, ls="--", label="promised: 5 %")
    axes.set_yticks(range(len(found)), [case.name for case in found])
    axes.set_xlim(0, 112)
    axes.grid(visible=False, axis="y")
    axes.legend(frameon=True, framealpha=1, edgecolor="none", loc="upper right")
    figure.suptitle(
        "Streams whose mean was ever outside its interval, 80 looks in 2,000 scores",
        x=0.01,
        ha="left",
        fontsize=11,
    )
    _label(axes, "", "% of streams", "")
