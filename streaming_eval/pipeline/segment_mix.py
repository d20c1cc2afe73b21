"""How samples spread over the values of a segment: a series of categories beside the scores."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.records import OTHER, SEGMENT_MIX
from streaming_eval.stats.levels import MOST_LEVELS, Scale

ABSENT = "(none)"


@dataclass(frozen=True, slots=True)
class Mix:
    """The categories of one segment: its allowed values, any other one, and none at all.

    Attributes:
        values: that are told apart; at most 63.
    """

    values: tuple[str, ...]

    @classmethod
    def of(cls, allowed: tuple[str, ...]) -> Mix:
        """The mix of a segment with these values; those beyond the 63rd count as any other."""
        named = tuple(value for value in allowed if value != OTHER)
        return cls(named[: MOST_LEVELS - 2])

    @property
    def categories(self) -> tuple[str, ...]:
        return (*self.values, OTHER, ABSENT)

    @property
    def scale(self) -> Scale:
        """On which category k is the value k, so that every category is a level."""
        last = len(self.categories) - 1
        return Scale(0.0, float(last), True, last + 1)

    @property
    def version(self) -> str:
        """Stands where an evaluation version does: other values are another series."""
        return hashlib.sha256("\x00".join(self.categories).encode()).hexdigest()[:12]

    def place(self, values: pa.ChunkedArray) -> np.ndarray:
        """The category of each value; null is none at all."""
        found = pc.index_in(values, pa.array(self.values, pa.string()))
        other, absent = len(self.values), len(self.values) + 1
        codes = pc.if_else(pc.is_valid(values), pc.fill_null(found, other), absent)
        placed: np.ndarray = codes.to_numpy().astype(np.int64)
        return placed


def mix_rows(
    samples: pa.Table, panes: np.ndarray, identity: str, mixes: Mapping[str, Mix]
) -> list[pa.Table]:
    """Rows to be counted, one per sample and segment, columns as `preaggregate` groups them by.

    Args:
        samples: rows of `scores`, some for each sample; models that have a mix only.
        panes: start of each row's pane.
        identity: column that tells samples apart, or clusters of them.
        mixes: by segment name.
    """
    if not samples.num_rows:
        return []
    parts = []
    for name, mix in mixes.items():
        placed = mix.place(pc.map_lookup(samples["segments"], pa.scalar(name), "first"))
        once = (
            pa.table({"model": samples["model"], identity: samples[identity]})
            .append_column("pane_ms", pa.array(panes))
            .append_column("level", pa.array(placed))
            .group_by(["model", identity])
            # Several samples of one cluster, or rows of one sample, count once.
            .aggregate([("pane_ms", "min"), ("level", "min")])
        )
        n = once.num_rows
        columns = {
            "model": once["model"],
            "segment": pa.array([name] * n, pa.string()),
            "scorer": pa.array([SEGMENT_MIX] * n, pa.string()),
            "evaluation_version": pa.array([mix.version] * n, pa.string()),
            "against": pa.array([""] * n, pa.string()),
            "pane_ms": once["pane_ms_min"],
            "level": once["level_min"],
        }
        parts.append(pa.table(columns))
    return parts
