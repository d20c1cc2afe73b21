"""A scorer that asks an embedding model in which of some cells a text lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streaming_eval.inference.asking_scorers import Asked, Endpoints
from streaming_eval.inference.model_call import ModelCall, key_or_none
from streaming_eval.inference.passing_failures import EMBEDDING_PREFIX
from streaming_eval.records import Message, Response, Sample, Score, ScoreStatus
from streaming_eval.scoring.direction import direction
from streaming_eval.scoring.embedding_cell import EmbeddedText, embedded
from streaming_eval.stats.centroids import CentroidCells


@dataclass(frozen=True, slots=True, eq=False)
class CellFinder:
    """The embedding model behind a scorer of cells, and the cells.

    Attributes:
        text: what is embedded.
        centroids: of directions; None while there are none yet, so that vectors are gathered in
            the cache and nothing is told.
    """

    call: ModelCall
    text: EmbeddedText
    centroids: CentroidCells | None = None

    async def ask(self, sample: Sample, response: Response, endpoints: Endpoints) -> Asked:
        """The cell of the text. One without a word lies nowhere: models take no empty text."""
        text = embedded(self.text, sample, response)
        if text is None:
            return Asked(Score(None, ScoreStatus.FAILED, response.error))
        if not text.strip():
            return Asked(Score(None, ScoreStatus.UNPARSABLE, "blank_text"))
        request = self.call.request((Message("user", text),))
        vector = await endpoints[self.call.endpoint](request)
        key = key_or_none(request)
        if vector.text is None:
            return Asked(Score(None, ScoreStatus.FAILED, EMBEDDING_PREFIX + str(vector.error)), key)
        return Asked(nearest(vector.text, self.centroids), key)


def nearest(vector: str, centroids: CentroidCells | None) -> Score:
    """The number of the centroid that lies nearest to a vector's direction.

    Args:
        vector: as a JSON array of numbers.
        centroids: of directions.

    Returns:
        `unparsable` where there is no telling: `no_centroids`, `vector_not_usable` (no numbers, or
        of length 0), `vectors_differ_in_size`.

    >>> cells = CentroidCells(np.array([[1, 0], [0, 1]], np.float32))
    >>> nearest("[3,4]", cells).value, nearest("[3]", cells).error
    (1.0, 'vectors_differ_in_size')
    """
    if centroids is None:
        return Score(None, ScoreStatus.UNPARSABLE, "no_centroids")
    one = direction(vector)
    if one is None:
        return Score(None, ScoreStatus.UNPARSABLE, "vector_not_usable")
    if one.size != centroids.centroids.shape[1]:
        return Score(None, ScoreStatus.UNPARSABLE, "vectors_differ_in_size")
    return Score(float(centroids.place(one[None, :].astype(np.float32))[0]))
