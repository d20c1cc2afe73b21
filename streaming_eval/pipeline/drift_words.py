"""The cells of a drift as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from streaming_eval.pipeline.series_report import DriftReport
from streaming_eval.stats.levels import Scale


def cells_in_words(
    drift: DriftReport, scale: Scale, categories: Sequence[str] = ()
) -> tuple[str, ...]:
    """One phrase per cell, strongest first: which values, and whether they became more common.

    Args:
        drift: of one series.
        scale: of its scores.
        categories: what it counts instead of scores, by cell.
    """
    return tuple(
        f"{categories[cell.cell] if categories else _values(cell.cell, drift.edges, scale)}: "
        f"{'more' if cell.rose else 'fewer'}"
        for cell in drift.cells
    )


def _values(cell: int, edges: tuple[float, ...], scale: Scale) -> str:
    """The values of a cell on the scorer's own scale.

    Levels on [0, 1] rise from bad to good, so where less is better the ends change places.
    """
    step = 1.0 / (scale.levels - 1)
    first = 0.0 if cell == 0 else edges[cell - 1] + step
    last = 1.0 if cell == len(edges) else edges[cell]
    low, high = sorted(float(value) for value in scale.raw([first, last]))
    return f"{low:.4g}" if high - low < 1e-9 else f"{low:.4g} to {high:.4g}"
