"""Which requests of which workers wait for a permit, and whose turn it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streaming_eval.inference.quota.fair_shares import FairOrder


@dataclass(frozen=True, slots=True)
class Turn:
    """The request that is served now."""

    model: str
    worker: str
    tokens: int


class _Model:
    """The workers that wait for one model."""

    __slots__ = ("order", "workers")

    def __init__(self) -> None:
        self.workers: dict[str, deque[int]] = {}
        self.order: FairOrder[str] = FairOrder()


class WaitingLine:
    """Models take turns by what their requests cost, and so do the workers within each model.

    Args:
        cost: of a request with that many tokens, in any unit, above 0.
    """

    def __init__(self, cost: Callable[[int], float]) -> None:
        self._cost = cost
        self._models: dict[str, _Model] = {}
        self._order: FairOrder[str] = FairOrder()

    def __len__(self) -> int:
        return sum(len(q) for model in self._models.values() for q in model.workers.values())

    def __bool__(self) -> bool:
        return any(model.workers for model in self._models.values())

    def replace(self, worker: str, wanted: Mapping[str, Sequence[int]]) -> None:
        """These, model by model, and no others are what this worker waits for."""
        for model in self._models.values():
            model.workers.pop(worker, None)
        for name, tokens in wanted.items():
            if tokens:
                self._models.setdefault(name, _Model()).workers[worker] = deque(tokens)

    def forget(self, worker: str) -> None:
        """This worker has gone, for long or for ever."""
        for model in self._models.values():
            model.workers.pop(worker, None)
            model.order.forget(worker)

    def next(self) -> Turn:
        """Takes the next request out of the line, which is not empty."""
        name = self._order.next([name for name, model in self._models.items() if model.workers])
        model = self._models[name]
        worker = model.order.next(model.workers)
        queue = model.workers[worker]
        tokens = queue.popleft()
        if not queue:
            del model.workers[worker]
        cost = self._cost(tokens)
        self._order.charge(name, cost)
        model.order.charge(worker, cost)
        return Turn(name, worker, tokens)
