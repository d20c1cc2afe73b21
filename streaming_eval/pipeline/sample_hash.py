"""Sample ids as 64-bit numbers: to remember many, and to round the same way in every replay."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint64]


def hash_ids(ids: Iterable[str]) -> Ids:
    """64-bit BLAKE2b of each id."""
    digests = b"".join(hashlib.blake2b(i.encode(), digest_size=8).digest() for i in ids)
    return np.frombuffer(digests, np.uint64)
