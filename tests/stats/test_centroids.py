"""Embeddings as cells of the nearest centroid."""

import numpy as np
import pytest

from streaming_eval.stats.centroids import CentroidCells, Vectors


def clusters(n: int, d: int, k: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    centers = 8 * rng.normal(size=(k, d))
    return (centers[rng.integers(k, size=n)] + rng.normal(size=(n, d))).astype(np.float32)


def test_every_vector_falls_to_its_nearest_centroid() -> None:
    vectors = np.random.default_rng(1).normal(size=(500, 7)).astype(np.float32)
    cells = CentroidCells.fit(vectors, cells=9)
    gaps = vectors[:, None, :].astype(float) - cells.centroids.astype(float)
    assert cells.place(vectors).tolist() == (gaps**2).sum(axis=2).argmin(axis=1).tolist()


def test_well_apart_clusters_get_a_cell_each() -> None:
    vectors = clusters(2_000, d=16, k=8, seed=3)
    counts = np.bincount(CentroidCells.fit(vectors, cells=8).place(vectors))
    again = np.random.default_rng(3)
    again.normal(size=(8, 16))
    assert sorted(counts) == sorted(np.bincount(again.integers(8, size=2_000)))


def test_the_same_vectors_and_seed_give_the_same_cells() -> None:
    vectors = clusters(500, d=8, k=5, seed=2)
    one, other = (CentroidCells.fit(vectors, cells=6, seed=4) for _ in range(2))
    assert one.centroids.tobytes() == other.centroids.tobytes()
    assert one.centroids.dtype == np.float32


def test_batches_do_not_matter() -> None:
    vectors = clusters(10_000, d=24, k=20, seed=5)
    cells = CentroidCells.fit(vectors[:2_000], cells=32)
    cut = np.concatenate([cells.place(part) for part in np.array_split(vectors, 37)])
    assert cut.tolist() == cells.place(vectors).tolist()


def test_fewer_different_vectors_than_cells_leave_cells_empty() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    cells = CentroidCells.fit(vectors, cells=6)
    assert np.isfinite(cells.centroids).all()
    assert len(set(cells.place(vectors).tolist())) == 3


@pytest.mark.parametrize("cells", [1, 4])
def test_cells_that_vectors_cannot_make_are_refused(cells: int) -> None:
    with pytest.raises(ValueError, match="3 vectors"):
        CentroidCells.fit(np.eye(3, dtype=np.float32), cells=cells)


def test_one_centroid_makes_no_cells() -> None:
    with pytest.raises(ValueError, match="two centroids"):
        CentroidCells(np.zeros((1, 3), np.float32))
