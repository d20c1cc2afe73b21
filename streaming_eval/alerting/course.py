"""A detector's course over a series' panes: the arithmetic that observing and reading share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from streaming_eval.alerting.state import ChangeEstimate, Pane, SeriesState
from streaming_eval.stats.e_detector import EDetector, Track


def total(levels: int, counts: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Sum per level; an empty sequence counts for nothing.

    >>> total(2, [(), (1, 2), (0, 1)])
    (1, 3)
    """
    some = [row for row in counts if row]
    return tuple(map(sum, zip(*some, strict=True))) if some else (0,) * levels


def track(state: SeriesState) -> Track:
    """Where the bets stood after the last closed pane."""
    return Track(
        log_m=np.array(state.log_m),
        page_sums=np.array(state.page_sums),
        began_ms=np.array(state.page_began_ms, np.int64),
        n_since=np.array(state.page_n, np.int64),
    )


def with_track(state: SeriesState, track: Track) -> SeriesState:
    """The state that remembers this track, as plain numbers."""
    return replace(
        state,
        log_m=tuple(track.log_m.tolist()),
        page_sums=tuple(track.page_sums.tolist()),
        page_began_ms=tuple(track.began_ms.tolist()),
        page_n=tuple(track.n_since.tolist()),
    )


def follow(
    track: Track, panes: Sequence[Pane], detector: EDetector
) -> Iterator[tuple[Pane, Track]]:
    """Each pane with the track after it. Every pane must have a count."""
    if not panes:
        return
    increments = detector.increments([pane.counts for pane in panes])
    for pane, increment in zip(panes, increments, strict=True):
        track = track.tick(pane.start_ms, pane.n, increment)
        yield pane, track


def began(track: Track) -> ChangeEstimate | None:
    """The stretch that speaks most for a drop, of all bets and all starts; None when none does."""
    bet = int(track.page_sums.argmax())
    if track.page_sums[bet] <= 0.0:
        return None
    return ChangeEstimate(int(track.began_ms[bet]), int(track.n_since[bet]))
