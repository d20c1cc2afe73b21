"""Workers that talk to the driver's quota, and the bound that no schedule of theirs may break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from streaming_eval.inference.quota.endpoint_quota import EndpointQuota
from streaming_eval.inference.quota.messages import Ask, Grant, LeaseUse


class PlainWorker:
    """Uses at once all that it is granted, and says so with its next ask."""

    def __init__(self, name: str, quota: EndpointQuota) -> None:
        self.name, self._quota = name, quota
        self._numbers = count(1)
        self._uses: tuple[LeaseUse, ...] = ()
        self.granted: dict[str, int] = {}

    def ask(self, now_s: float, wanted: Mapping[str, Sequence[int]], **more: Any) -> Grant:  # noqa: ANN401
        ask = Ask(
            self.name,
            "e",
            next(self._numbers),
            wanted={model: tuple(tokens) for model, tokens in wanted.items()},
            **{"uses": self._uses, **more},
        )
        grant = self._quota.exchange(ask, now_s)
        requests = sum(map(len, grant.permits.values()))
        tokens = sum(map(sum, grant.permits.values()))
        self._uses = (LeaseUse(grant.lease, requests, tokens),) if requests else ()
        for model, permits in grant.permits.items():
            self.granted[model] = self.granted.get(model, 0) + len(permits)
        return grant

    @property
    def total(self) -> int:
        return sum(self.granted.values())


def worst_excess(starts: Sequence[float], per_s: float) -> float:
    """How far, over all windows, what started exceeds what the rate alone allows in the window.

    The window from one start to another, both included, is the worst of those with the same starts.
    """
    least, worst = 0.0, 0.0
    for place, start in enumerate(starts):
        # (place + 1 - first) - per_s * (start - starts[first]), at its largest over all `first`
        least = min(least, place - per_s * start) if place else place - per_s * start
        worst = max(worst, place + 1 - per_s * start - least)
    return worst
