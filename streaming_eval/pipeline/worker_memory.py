"""Keeps Spark's Python workers from walking all imported modules after every task."""

from __future__ import annotations

import gc
from functools import cache


@cache
def spare_the_collector() -> None:
    """Exempts what is in memory now from garbage collection; call it once modules are loaded.

    Spark collects after each task. The half million objects of its imports cost 60 ms each time,
    three quarters of all that a worker does in a small batch.
    """
    gc.collect()
    gc.freeze()
