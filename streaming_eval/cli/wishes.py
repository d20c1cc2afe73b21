"""Words that options take, and what `simulate` was asked for before anything is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What a score is."""

    PASS_RATE = "pass-rate"
    GRADES = "grades"
    CONTINUUM = "continuum"


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options as they were given; None for those that were not."""

    kind: Kind | None
    mean: float | None
    shares: str | None
    low: int
    high: int
    samples_per_hour: float
    drops: tuple[float, ...]
    series: int | None
    once_per: str | None
    pane: str | None
    baseline_samples: int | None
    smallest_effect: float | None
    config: Path | None
    scorer: str | None
    weeks: int
    streams: int
    seed: int


class Shown(StrEnum):
    """What an experiment is to show of its candidate."""

    WORSE = "worse"
    BETTER = "better"
