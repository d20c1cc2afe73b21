"""Which of a batch's scores are new: those of samples that were not scored before."""

from __future__ import annotations

import time
from collections.abc import Collection

import numpy as np
import pyarrow as pa

from streaming_eval.inference.requeue import Place
from streaming_eval.pipeline.recent_samples import RecentSamples
from streaming_eval.pipeline.sample_hash import hash_ids


def first_scores(scores: pa.Table, recent: RecentSamples) -> tuple[pa.Table, int]:
    """The scores of samples seen for the first time, which are remembered.

    Returns:
        The scores that are left, and how many samples were repeats.
    """
    if not scores.num_rows:
        return scores, 0
    ids = hash_ids(scores["sample_id"].to_pylist())
    partition, offset = (scores[name].to_numpy() for name in ("partition", "offset"))
    # A sample's rows lie together; one that occurs twice in a batch counts at its first record.
    order = np.lexsort((offset, partition, ids))
    first = np.ones(len(order), np.bool_)
    first[1:] = ids[order][1:] != ids[order][:-1]
    leader = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
    original = np.empty(len(order), np.bool_)
    original[order] = (partition[order] == partition[leader]) & (offset[order] == offset[leader])
    keep = original & ~recent.known(ids)
    recent.remember(ids, time.time_ns() // 1_000_000)
    records = np.unique(np.stack((partition, offset))[:, ~keep], axis=1).shape[1]
    return scores.filter(pa.array(keep)), records


def without_held(scores: pa.Table, held: Collection[Place]) -> pa.Table:
    """The scores of all records but those that go on waiting."""
    if not held:
        return scores
    places = zip(
        *(scores[name].to_pylist() for name in ("topic", "partition", "offset")), strict=True
    )
    return scores.filter(pa.array([where not in held for where in places], pa.bool_()))
