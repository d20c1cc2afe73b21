from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.pipeline.recent_samples import RecentSamples
from streaming_eval.pipeline.sample_hash import hash_ids

HORIZON_MS = 1_000
BATCHES = st.lists(
    st.tuples(st.integers(0, 700), st.sets(st.integers(0, 30), max_size=6)), max_size=20
)


def known(recent: RecentSamples, *ids: str) -> list[bool]:
    return [bool(one) for one in recent.known(hash_ids(ids))]


def test_nothing_is_known_at_first() -> None:
    recent = RecentSamples(HORIZON_MS)
    assert known(recent, "a", "b") == [False, False]
    assert len(recent) == 0
    assert known(recent) == []


def test_what_was_remembered_is_known_and_nothing_else() -> None:
    recent = RecentSamples(HORIZON_MS)
    recent.remember(hash_ids(["m", "a", "z"]), 0)
    recent.remember(hash_ids(["b", "a"]), 10)
    assert known(recent, "z", "y", "b", "a", "", "m") == [True, False, True, True, False, True]
    assert len(recent) == 4


@settings(deadline=None)
@given(BATCHES)
def test_an_id_is_kept_for_a_horizon_at_least_and_two_at_most(
    batches: list[tuple[int, set[int]]],
) -> None:
    """Batches come often: the pauses between them are shorter than the horizon."""
    recent = RecentSamples(HORIZON_MS)
    last_ms: dict[int, int] = {}
    now_ms = 0
    for pause_ms, ids in batches:
        now_ms += pause_ms
        recent.remember(np.array(sorted(ids), np.uint64), now_ms)
        last_ms |= dict.fromkeys(ids, now_ms)
        everyone = recent.known(np.arange(31, dtype=np.uint64))
        age_ms = {n: now_ms - at for n, at in last_ms.items()}
        assert all(everyone[n] for n, age in age_ms.items() if age < HORIZON_MS)
        # A generation ends with the first batch after its horizon, a pause later at most.
        assert not any(everyone[n] for n, age in age_ms.items() if age > 2 * (HORIZON_MS + 700))
        assert not any(everyone[n] for n in range(31) if n not in last_ms)


def test_memory_is_bounded_however_long_the_job_runs() -> None:
    recent = RecentSamples(HORIZON_MS)
    for now_ms in range(0, 60_000, 100):
        recent.remember(np.arange(now_ms, now_ms + 100, dtype=np.uint64), now_ms)
    assert len(recent) <= 2 * 100 * (HORIZON_MS // 100 + 1)


def test_an_id_seen_again_is_kept_from_then_on() -> None:
    recent = RecentSamples(HORIZON_MS)
    for now_ms in range(0, 10_000, 400):
        recent.remember(hash_ids(["again"]), now_ms)
    assert known(recent, "again") == [True]


def test_hashes_depend_on_the_id_alone_and_fill_64_bits() -> None:
    ids = [f"sample-{n}" for n in range(2_000)]
    hashes = hash_ids(ids)
    assert hashes.dtype == np.uint64
    assert len(set(hashes.tolist())) == 2_000
    assert np.array_equal(hash_ids(reversed(ids)), hashes[::-1])
    top_half = (hashes >> np.uint64(63)).mean()
    assert 0.4 < top_half < 0.6
