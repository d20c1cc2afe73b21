"""Which series can exist, whatever the data say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streaming_eval.pipeline.segment_mix import Mix
from streaming_eval.records import JUDGE
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Scale


@dataclass(frozen=True, slots=True)
class SeriesLayout:
    """Which series exist: everything bounded by the operator's configuration.

    Attributes:
        scales: (scorer, evaluation version) to the scorer's scale; other scores are passed over.
        models: names that keep their own series; any other model counts as `__other__`.
        segments: segment name to its allowed values; any other value counts as `__other__`.
        pairs: candidate to the models whose score on the same sample is subtracted.
        max_weight: largest weight that counts in full; 1 where weights do not count.
        mixes: segment name to its categories, of the segments whose mix is watched.
        production: the models that answer users; the mixes are theirs, and what tells of prompts.
        categories: scorers whose values are numbers of categories.
        of_prompt: scorers that tell of prompts, so that candidates have no such series.
        anchored: scorers that tell of a judge itself; their only model is `__judge__`, which is no
            name that other series could have.
    """

    scales: Mapping[tuple[str, str], Scale]
    models: tuple[str, ...]
    segments: Mapping[str, tuple[str, ...]]
    pairs: Mapping[str, tuple[str, ...]]
    pane_ms: int
    max_weight: float = 1.0
    mixes: Mapping[str, Mix] = field(default_factory=dict)
    production: tuple[str, ...] = ()
    categories: frozenset[str] = frozenset()
    of_prompt: frozenset[str] = frozenset()
    anchored: frozenset[str] = frozenset()

    def models_of(self, scorer: str) -> tuple[str, ...]:
        """The models that have series of a scorer; others count as `__other__`."""
        if scorer in self.anchored:
            return (JUDGE,)
        return self.production if scorer in self.of_prompt else self.models

    def grid(self, scale: Scale) -> Grid:
        """The cells that scores of a scale are counted in."""
        return Grid.weighted(scale.levels, self.max_weight)
