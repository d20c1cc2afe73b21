"""How much of its configured quota an endpoint really grants, learnt from its refusals.

Additive increase, multiplicative decrease (Chiu and Jain 1989, "Analysis of the Increase and
Decrease Algorithms for Congestion Avoidance in Computer Networks"). As in DCTCP (Alizadeh et al.
2010, "Data Center TCP") the decrease is the share that was refused; as in CUBIC (Ha, Rhee and Xu
2008) the increase is fast far from the rate that was refused last and slow near it.
"""

from __future__ import annotations

FLOOR = 0.05
WINDOW_S = 1.0

_LEAST_CUT, _MOST_CUT = 0.1, 0.5
_NEAR, _CAREFUL = 0.9, 0.05
_FAST_PER_S, _FAST_PER_ANSWER = 0.1, 0.02
_SLOW_PER_S, _SLOW_PER_ANSWER = 1 / 130, 1 / 1_600
_MOST_CREDIT = 64.0
_ALL = 0.9


class AdaptiveRate:
    """A share of the quota in [`FLOOR`, 1], for all workers of an endpoint.

    It is cut once at most in `WINDOW_S`, and only for refusals of requests that were admitted
    after the last cut: those admitted before say nothing new. That is what the epoch is for.

    Attributes:
        share: of the configured quota that is given out now.
        epoch: the number of cuts so far.
    """

    def __init__(self) -> None:
        self.share, self.epoch = 1.0, 0
        self._last_refused = 1.0
        self._age_s, self._started, self._refused, self._credit = WINDOW_S, 0, 0, 0.0

    def note(self, epoch: int, *, started: int, answered: int, refused: int) -> None:
        """So many more requests of that epoch were started, answered, refused (429)."""
        if epoch == self.epoch:
            self._started += started
            self._refused += refused
            self._credit = min(_MOST_CREDIT, self._credit + answered)

    def advance(self, seconds: float) -> None:
        """Time has passed: cut if there were refusals, else grow as far as answers warrant it."""
        self._age_s += seconds
        if not self._refused:
            self._grow(seconds)
        elif self._age_s >= WINDOW_S:
            self._cut()

    def _cut(self) -> None:
        refused = self._refused / max(self._refused, self._started)
        if refused < _ALL:  # an endpoint that serves nobody does not tell which rate is too high
            self._last_refused = self.share
        self.share *= 1 - min(_MOST_CUT, max(_LEAST_CUT, refused))
        self.share = max(FLOOR, self.share)
        self.epoch += 1
        self._age_s, self._started, self._refused, self._credit = 0.0, 0, 0, 0.0

    def _grow(self, seconds: float) -> None:
        near, per_s, per_answer = _NEAR * self._last_refused, _FAST_PER_S, _FAST_PER_ANSWER
        if self.share >= near:
            beyond = max(0.0, self.share / self._last_refused - 1) / _CAREFUL
            pace = self._last_refused * (1 + beyond**2)
            per_s, per_answer = (
                min(per_s, pace * _SLOW_PER_S),
                min(per_answer, pace * _SLOW_PER_ANSWER),
            )
        step = min(per_s * seconds, per_answer * self._credit)
        if self.share < near:
            step = min(step, near - self.share)
        self._credit -= step / per_answer
        self.share = min(1.0, self.share + step)
