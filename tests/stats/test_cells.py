"""Quantities as cells, frozen with the baseline."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.stats.cells import MOST_CELLS, CategoryCells, QuantileCells

TABLES = st.lists(st.integers(0, 40), min_size=2, max_size=60)


@given(TABLES, st.integers(2, 12))
def test_no_cell_is_empty_and_none_is_lost(counts: list[int], most: int) -> None:
    values = np.arange(len(counts)) * 1.5
    cells = QuantileCells.of_counts(values, counts, most)
    if cells is None:
        assert np.count_nonzero(counts) <= 1
        return
    gathered = cells.gather(values, counts)
    assert 2 <= cells.cells == len(gathered) <= most
    assert (gathered > 0).all()
    assert gathered.sum() == sum(counts)


def test_where_values_are_many_cells_are_deciles() -> None:
    values = np.sort(np.random.default_rng(1).lognormal(size=10_000))
    cells = QuantileCells.of_counts(values, np.ones(10_000))
    assert cells is not None
    assert cells.cells == MOST_CELLS
    assert cells.gather(values, np.ones(10_000)).tolist() == [1_000] * MOST_CELLS
    assert cells.edges == pytest.approx(np.quantile(values, np.arange(0.1, 1, 0.1)), rel=1e-2)


def test_few_levels_each_get_a_cell() -> None:
    assert QuantileCells.of_counts([1, 2, 3], [10, 20, 70]) == QuantileCells((1.0, 2.0))


@pytest.mark.parametrize("counts", [[0, 0, 0], [0, 9, 0]])
def test_one_value_alone_makes_no_cells(counts: list[int]) -> None:
    assert QuantileCells.of_counts([1, 2, 3], counts) is None


@given(TABLES, st.lists(st.floats(-5, 100), min_size=1, max_size=30))
def test_scores_one_by_one_and_their_counts_fall_into_the_same_cells(
    counts: list[int], values: list[float]
) -> None:
    cells = QuantileCells((0.0, 7.5, 30.0))
    held, n_at = np.unique(values, return_counts=True)
    one_by_one = np.bincount(cells.place(values), minlength=cells.cells)
    assert cells.gather(held, n_at).tolist() == one_by_one.tolist()


def test_panes_are_gathered_at_once() -> None:
    cells = QuantileCells((2.0,))
    assert cells.gather([1, 2, 3], [[1, 2, 3], [4, 5, 6]]).tolist() == [[3, 3], [9, 6]]


def test_a_value_that_is_none_has_no_cell() -> None:
    with pytest.raises(ValueError, match="not a number"):
        QuantileCells((1.0,)).place([np.nan])


@pytest.mark.parametrize("edges", [(), (1.0, 1.0), (2.0, 1.0), (1.0, float("nan"))])
def test_edges_that_cut_nothing_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="edges"):
        QuantileCells(edges)


def test_rare_and_new_categories_share_the_last_cell() -> None:
    baseline = {f"tenant-{k}": 100 - k for k in range(40)}
    cells = CategoryCells.of_counts(baseline)
    assert cells.cells == 31
    assert cells.names[0] == "tenant-0"
    assert cells.place(["tenant-0", "tenant-29", "tenant-30", "new"]).tolist() == [0, 29, 30, 30]
    assert cells.gather(baseline)[-1] == sum(100 - k for k in range(30, 40))


@given(st.permutations([("a", 3), ("b", 3), ("c", 1), ("d", 0)]))
def test_cells_do_not_depend_on_the_order_of_the_counts(pairs: list[tuple[str, int]]) -> None:
    assert CategoryCells.of_counts(dict(pairs), most=2).names == ("a", "b")


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_categories_need_names_of_their_own(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="categories"):
        CategoryCells(names)
