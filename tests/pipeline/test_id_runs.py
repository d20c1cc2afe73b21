from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.pipeline.id_runs import IdRuns

_IDS = st.integers(0, 40) | st.just(2**64 - 1)
_BATCHES = st.lists(st.lists(_IDS, max_size=12), max_size=15)


@given(_BATCHES)
def test_it_holds_what_a_set_holds(batches: list[list[int]]) -> None:
    runs, expected = IdRuns(), set[int]()
    everyone = np.array([*range(41), 2**64 - 2, 2**64 - 1], np.uint64)
    for batch in batches:
        runs.add(np.array(batch, np.uint64))
        expected.update(batch)
        assert runs.contains(everyone).tolist() == [n in expected for n in everyone.tolist()]
        assert len(runs) == len(expected)


def test_to_add_few_to_many_moves_few() -> None:
    """Counts the ids that are sorted: a rebuild for each batch would move 5,000,000."""
    runs, moved = IdRuns(), 0
    draw = np.random.default_rng(1)
    for _ in range(1_000):
        before = {id(run): len(run) for run in runs._runs}
        runs.add(draw.integers(0, 2**64, 10, np.uint64, endpoint=False))
        moved += sum(len(run) for run in runs._runs if id(run) not in before)
    assert len(runs) == 10_000
    assert moved <= 10_000 * np.log2(1_000)
