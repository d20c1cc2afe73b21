"""What a series is compared with: counts that do not change once they are in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

HOURS = 24
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Baseline:
    """Counts that a series is compared with; the default is one of which nothing is collected.

    Attributes:
        counts: per cell of the series' grid; of a seasonal baseline 24 times, once for each hour
            of the day (UTC) in which panes begin.
        begin_ms: start of its first pane; None while there is none.
        end_ms: end of its last pane; None while it is being collected.
        version: which baseline of the series is in force, 1 for the first; 0 for none yet.
        id: of a promoted one; empty for the one that the series collects itself.
        by: who promoted it.
        reason: in that person's words.
    """

    counts: tuple[int, ...] = ()
    begin_ms: int | None = None
    end_ms: int | None = None
    version: int = 0
    id: str = ""
    by: str = ""
    reason: str = ""

    @property
    def n(self) -> int:
        return sum(self.counts)

    @property
    def promoted(self) -> bool:
        return bool(self.id)

    def with_pane(self, start_ms: int, counts: Sequence[int], seasons: int) -> Baseline:
        """The baseline with one more pane, of a baseline of so many parts that is collected."""
        held = list(self.counts) or [0] * (len(counts) * seasons)
        at = season_of(start_ms, seasons) * len(counts)
        for cell, n in enumerate(counts, start=at):
            held[cell] += n
        begin_ms = start_ms if self.begin_ms is None else self.begin_ms
        return replace(self, counts=tuple(held), begin_ms=begin_ms)

    def seasons(self, cells: int) -> int:
        """How many parts there are, each with its own bound: 1, or 24."""
        return max(1, len(self.counts) // cells)

    def season(self, start_ms: int, cells: int) -> tuple[int, ...]:
        """Counts of the part that a pane is compared with."""
        at = season_of(start_ms, self.seasons(cells)) * cells
        return self.counts[at : at + cells]

    def all_day(self, cells: int) -> tuple[int, ...]:
        """Counts of all parts together; empty while nothing is collected."""
        return tuple(sum(self.counts[cell::cells]) for cell in range(min(cells, len(self.counts))))


NO_BASELINE = Baseline()


def season_of(start_ms: int, seasons: int) -> int:
    """Which part of a baseline a pane belongs to.

    >>> season_of(5 * 3_600_000 + 60_000, 24), season_of(5 * 3_600_000, 1)
    (5, 0)
    """
    return start_ms // _HOUR_MS % seasons


def within_an_hour(width_ms: int) -> bool:
    """Whether panes or windows of this width never reach from one hour into the next."""
    return _HOUR_MS % width_ms == 0
