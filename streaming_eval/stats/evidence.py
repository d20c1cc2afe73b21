"""Evidence against one hypothesis that may be read at any time: an e-process and its p-value."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

LOG_NOTHING = -700.0  # log evidence that stands for none, where a logarithm would not be finite


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much speaks against a hypothesis, now and at most so far.

    E is a nonnegative process that is expected to be at most 1 at whatever moment one stops, as
    long as the hypothesis is true. So it ever reaches 1 / alpha with probability at most alpha
    (Ville 1939, Etude critique de la notion de collectif), and an experiment may be closed with
    the largest value that it has reached.

    Attributes:
        log_e: natural logarithm of E now; -700 stands for none.
        log_largest: of the largest E reached so far.
    """

    log_e: float
    log_largest: float

    @classmethod
    def of_path(cls, log_e: list[float]) -> Evidence:
        """From its values in the order of time; 1 before the first.

        >>> Evidence.of_path([0.5, 3.0, 1.0])
        Evidence(log_e=1.0, log_largest=3.0)
        """
        return cls(log_e[-1], max(0.0, *log_e)) if log_e else cls(0.0, 0.0)

    @property
    def p(self) -> float:
        """Always-valid p-value: at most alpha, ever, with probability at most alpha.

        >>> round(Evidence(log_e=1.0, log_largest=3.0).p, 4)
        0.0498
        """
        return exp(-max(self.log_largest, 0.0))
