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


QUANTITY = Scale(0, 64_000, False, 65)
SHARES = (0.01, 0.04, 0.05, 0.9)  # of the largest amounts first, as they lie on [0, 1]
EDGES = (1 / 64, 2 / 64, 3 / 64)


def amounts(cell: int, shares: tuple[float, ...] = SHARES) -> str:
    report = DriftReport(9.0, None, EDGES, (CellEvidence(cell, True, 9.0),), shares)
    (phrase,) = cells_in_words(report, QUANTITY, unit="ms")
    return phrase


@pytest.mark.parametrize(
    ("cell", "phrase"),
    [
        (0, "above 62,000 ms, the baseline's 99th percentile: more"),
        (1, "61,000 to 62,000 ms, above the baseline's 95th percentile: more"),
        (2, "60,000 to 61,000 ms, above the baseline's 90th percentile: more"),
        (3, "up to 60,000 ms: more"),
    ],
)
def test_amounts_have_a_unit_and_the_percentile_that_they_begin_at(cell: int, phrase: str) -> None:
    assert amounts(cell) == phrase


def test_a_percentile_that_no_cell_begins_at_is_not_named() -> None:
    """Where an earlier version cut the cells, or the baseline is short."""
    assert amounts(0, (0.2, 0.2, 0.2, 0.4)) == "above 62,000 ms: more"


def test_amounts_that_are_neither_good_nor_bad_rise_with_their_cells() -> None:
    length = Scale(0, 64_000, True, 65)
    cells = (CellEvidence(3, True, 9.0), CellEvidence(0, False, 5.0))
    report = DriftReport(9.0, None, (0.25, 0.5, 0.75), cells, (0.9, 0.05, 0.04, 0.01))
    assert cells_in_words(report, length, unit="characters") == (
        "above 48,000 characters, the baseline's 99th percentile: more",
        "up to 16,000 characters: fewer",
    )
