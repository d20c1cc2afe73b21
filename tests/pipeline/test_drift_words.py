"""The cells of a drift, told on the scorer's own scale."""

from __future__ import annotations

import pytest

from streaming_eval.pipeline.drift_words import cells_in_words
from streaming_eval.pipeline.series_report import DriftReport
from streaming_eval.stats.drift import CellEvidence
from streaming_eval.stats.levels import Scale

GRADES = Scale(1, 3, True, 3)
LATENCY = Scale(0, 64_000, False, 65)


def words(edges: tuple[float, ...], cell: int, scale: Scale, *, rose: bool = True) -> str:
    report = DriftReport(9.0, None, edges, (CellEvidence(cell, rose, 9.0),))
    (phrase,) = cells_in_words(report, scale)
    return phrase


@pytest.mark.parametrize(("cell", "grade"), [(0, "1"), (1, "2"), (2, "3")])
def test_a_cell_of_one_value_is_that_value(cell: int, grade: str) -> None:
    assert words((0.0, 0.5), cell, GRADES) == f"{grade}: more"


def test_a_share_that_fell_is_said_to_be_fewer() -> None:
    assert words((0.0, 0.5), 1, GRADES, rose=False) == "2: fewer"


def test_where_less_is_better_the_first_cell_holds_the_largest_values() -> None:
    assert words((0.5,), 0, LATENCY) == "3.2e+04 to 6.4e+04: more"
    assert words((0.5,), 1, LATENCY) == "0 to 3.1e+04: more"


def test_categories_have_names() -> None:
    report = DriftReport(9.0, None, (), (CellEvidence(1, True, 9.0),))
    assert cells_in_words(report, Scale(0, 2, True, 3), ("pro", "free", "(none)")) == (
        "free: more",
    )
