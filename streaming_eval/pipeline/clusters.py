"""Which samples belong together, so that they count as one: their scores are not independent."""

from __future__ import annotations

import hashlib
from enum import StrEnum

import numpy as np
import pyarrow as pa

from streaming_eval.pipeline.recent_samples import RecentSamples
from streaming_eval.pipeline.sample_hash import Ids
from streaming_eval.records import Sample
from streaming_eval.scoring.normalise import fold


class ClusterBy(StrEnum):
    """What samples of one cluster share.

    Attributes:
        NOTHING: every sample counts alone.
        CONVERSATION: the conversation id; a sample without one counts alone.
        PROMPT: the text of the conversation sent, without case, punctuation and spacing.
    """

    NOTHING = "none"
    CONVERSATION = "conversation"
    PROMPT = "prompt"


def cluster_of(sample: Sample, by: ClusterBy) -> int | None:
    """The sample's cluster as a signed 64-bit number; None where it counts alone."""
    if by is ClusterBy.CONVERSATION and sample.conversation_id is not None:
        return _number(sample.conversation_id)
    if by is ClusterBy.PROMPT:
        return _number("\x00".join(f"{m.role}\x01{fold(m.content)}" for m in sample.messages))
    return None


def _number(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def cluster_ids(column: pa.ChunkedArray) -> Ids:
    """The distinct clusters of a column, as `RecentSamples` remembers them."""
    return np.unique(column.drop_null().to_numpy()).view(np.uint64)


def with_first_of_cluster(
    scores: pa.Table, recent: RecentSamples, pane_ms: int, now_ms: int
) -> pa.Table:
    """The scores with `first_of_cluster` filled in; their clusters are remembered.

    A cluster counts in the batch, and there in the pane, in which it first appears, with the mean
    of its scores: only there could nobody have known what it is going to score. What follows in the
    same conversation tells of the same thing again.

    Args:
        scores: of one batch, new ones only.
        recent: clusters of earlier batches.
        pane_ms: width of a pane.
        now_ms: wall clock, epoch milliseconds.
    """
    known = scores["cluster"].is_valid().to_numpy()
    if not known.any():
        return scores
    clusters = scores["cluster"].drop_null().to_numpy().view(np.uint64)
    times = scores["event_time"].cast(pa.int64()).to_numpy()[known]
    panes = times // (pane_ms * 1_000)
    distinct, which = np.unique(clusters, return_inverse=True)
    earliest = np.full(len(distinct), np.iinfo(np.int64).max)
    np.minimum.at(earliest, which, panes)
    first = np.empty(len(known), np.bool_)
    first[known] = (panes == earliest[which]) & ~recent.known(distinct)[which]
    recent.remember(distinct, now_ms)
    column = pa.array(first, pa.bool_(), mask=~known)
    place = scores.schema.get_field_index("first_of_cluster")
    return scores.set_column(place, scores.schema.field(place), column)
