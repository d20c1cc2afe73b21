"""What a fault run is started with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """The same options and the same data give the same samples and the same moments.

    Attributes:
        samples: of the killed run.
        kills: of that run.
        seed: of samples, moments and mixtures.
        scale: size of the other runs, against that which they were made for.
        say: told what happens meanwhile.
    """

    samples: int
    kills: int
    seed: int
    scale: float
    say: Callable[[str], None]

    def scaled(self, count: int) -> int:
        """So many at a scale of one; never fewer than eight."""
        return max(8, round(count * self.scale))
