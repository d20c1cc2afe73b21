"""An endless stream of experiments: what each one must reach, given how many were found before."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from scipy.special import zeta

_DECAY = 1.6  # of the share of q that the t-th experiment gets; above 1, so that they sum to 1


@dataclass(frozen=True, slots=True)
class ELond:
    """State of the stream: experiments are tested in the order in which they were opened.

    Experiment t is found when E >= 1 / alpha_t, with alpha_t = q t^-1.6 / zeta(1.6) times one more
    than the number found before. The expected share of true hypotheses among those found is at most
    q at every t, whatever the dependence.

    Source: Xu, Ramdas (2024), Online multiple testing with e-values.

    Attributes:
        q: in (0, 1).
        tested: experiments closed so far.
        found: of them, how many hypotheses were called false.
    """

    q: float
    tested: int = 0
    found: int = 0

    def __post_init__(self) -> None:
        if not (0.0 < self.q < 1.0 and 0 <= self.found <= self.tested):
            raise ValueError(f"q lies in (0, 1), found in 0 to tested, got {self}")

    @property
    def alpha(self) -> float:
        """Level of the next experiment: it is found when its E reaches 1 / alpha.

        >>> round(ELond(0.05).alpha, 5), round(ELond(0.05, tested=1, found=1).alpha, 5)
        (0.02187, 0.01443)
        """
        share = float((self.tested + 1) ** -_DECAY / zeta(_DECAY))
        return self.q * share * (self.found + 1)

    def close(self, log_e: float) -> tuple[bool, ELond]:
        """Whether the next experiment is a find, and the state after it.

        Args:
            log_e: log evidence at the moment it is closed, which may depend on the evidence; not
                the largest reached, whose mean is not bounded by 1.
        """
        find = log_e >= -log(self.alpha)
        return find, ELond(self.q, self.tested + 1, self.found + find)
