"""The direction that an embedding points in: all that it says of a text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import orjson

Vector = npt.NDArray[np.float64]


def direction(text: str) -> Vector | None:
    """The vector in a JSON array of numbers, at length 1.

    None where the text holds no vector, or one that has no direction.
    """
    try:
        vector = np.asarray(orjson.loads(text), np.float64)
    except (ValueError, TypeError):  # what is not JSON is a ValueError too
        return None
    length = np.linalg.norm(vector) if vector.ndim == 1 else 0.0
    return vector / length if length and np.isfinite(length) else None
