"""The cells of a drift as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from streaming_eval.pipeline.series_report import DriftReport
from streaming_eval.stats.levels import Scale
from streaming_eval.stats.tail_cells import percentile


def cells_in_words(
    drift: DriftReport, scale: Scale, categories: Sequence[str] = (), unit: str = ""
) -> tuple[str, ...]:
    """One phrase per cell, strongest first: which values, and whether they became more common.

    Args:
        drift: of one series.
        scale: of its scores.
        categories: what it counts instead of scores, by cell.
        unit: of a quantity, such as `ms`; empty for other scores.
    """

    def named(cell: int) -> str:
        if categories:
            return categories[cell]
        return _amounts(cell, drift, scale, unit) if unit else _values(cell, drift.edges, scale)

    return tuple(f"{named(c.cell)}: {'more' if c.rose else 'fewer'}" for c in drift.cells)


def _values(cell: int, edges: tuple[float, ...], scale: Scale) -> str:
    """The values of a cell on the scorer's own scale.

    Levels on [0, 1] rise from bad to good, so where less is better the ends change places.
    """
    step = 1.0 / (scale.levels - 1)
    first = 0.0 if cell == 0 else edges[cell - 1] + step
    last = 1.0 if cell == len(edges) else edges[cell]
    low, high = sorted(float(value) for value in scale.raw([first, last]))
    return f"{low:.4g}" if high - low < 1e-9 else f"{low:.4g} to {high:.4g}"


def _amounts(cell: int, drift: DriftReport, scale: Scale, unit: str) -> str:
    """The amounts of a cell, from the largest that is in the cell below it.

    A quantile of the baseline at which it begins is named: it is what is exceeded more often.
    """
    ends = [float(scale.raw(end)) for end in _ends(drift.edges, scale)]
    at = cell if scale.higher_is_better else len(ends) - cell
    shares = drift.shares if scale.higher_is_better else drift.shares[::-1]
    share = percentile(sum(shares[:at]))
    named = f", above the baseline's {100 * share:.0f}th percentile" if share else ""
    if at == 0:
        return f"up to {_number(ends[0])} {unit}"
    if at == len(ends):
        return f"above {_number(ends[-1])} {unit}{named.replace(', above', ',')}"
    return f"{_number(ends[at - 1])} to {_number(ends[at])} {unit}{named}"


def _ends(edges: tuple[float, ...], scale: Scale) -> list[float]:
    """The largest amounts of all cells but that with the largest, on [0, 1], least amount first."""
    if scale.higher_is_better:
        return list(edges)
    step = 1.0 / (scale.levels - 1)
    return [edge + step for edge in reversed(edges)]


def _number(amount: float) -> str:
    """Three digits, as people write them.

    >>> _number(3_412.7), _number(0.000123456), _number(64.52)
    ('3,410', '0.000123', '64.5')
    """
    rounded = float(f"{amount:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100.0 else f"{rounded:g}"
