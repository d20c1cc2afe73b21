"""What model calls cost, what the cache saved of it and what is left of the budgets.

Money is summed in whole pico-units and divided once, when it is shown, so that the metric agrees
with a query over the `responses` table.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from streaming_eval.adapters.metric_family import Family, Values
from streaming_eval.adapters.prometheus_text import MetricInfo
from streaming_eval.inference.spending.budget import Budget
from streaming_eval.inference.spending.price import PICO

_BUDGET_LABELS = ("model", "per", "unit")
_REFUSED = Family(
    "budget_refused_calls",
    "Calls put off for want of a budget; each attempt of a batch counts its own.",
    _BUDGET_LABELS,
)
_LEFT = Family(
    "budget_remaining_ratio",
    "Share of a budget that is left until its UTC hour or day ends.",
    _BUDGET_LABELS,
)
_WAIT = Family(
    "budget_wait_until_timestamp_seconds",
    "When the budgets are full again that the score query waits for; 0 while it waits for none.",
)
_SAMPLING = Family(
    "sampling_ratio",
    "Probability with which the samples of the last batch were asked about where a budget limits "
    "that.",
)


class SpendingMetrics(Collector):
    """Sums and states that the driver reports; every method may be called from any thread.

    Models, endpoints and budgets are shown from their first report on.

    Args:
        currency: ISO 4217 code of the price table. It is part of the metrics' names, since a sum
            over currencies would mean nothing.
    """

    def __init__(self, currency: str = "USD") -> None:
        money = currency.lower()
        self._cost = Family(f"cost_{money}", f"Cost of paid answers, in {currency}.", ("model",))
        self._saved_cost = Family(
            f"cache_saved_cost_{money}",
            f"What answers from the cache would have cost at the present prices, in {currency}.",
            ("model",),
        )
        self._parts = {self._cost: PICO, self._saved_cost: PICO, _REFUSED: 1}
        self._totals: Counter[tuple[Family, tuple[str, ...]]] = Counter()
        self._totalling = threading.Lock()
        self._states: dict[Family, Values] = {_LEFT: {}, _WAIT: {(): 0.0}, _SAMPLING: {(): 1.0}}

    def count_cost(self, model: str, pico_units: int) -> None:
        """Answers of a model were paid for; when the job starts, all that its table holds."""
        self._count(self._cost, (model,), pico_units)

    def count_saved_cost(self, model: str, pico_units: int) -> None:
        """What answers from the cache, or shared with another call, would have cost."""
        self._count(self._saved_cost, (model,), pico_units)

    def count_refused(self, budget: Budget, n: int) -> None:
        """`n` calls were not made because too little of the budget was left."""
        self._count(_REFUSED, _labels(budget), n)

    def observe_budgets(self, left: Mapping[Budget, float]) -> None:
        """What is left of each budget as a share of its cap, in [0, 1]."""
        self._states[_LEFT] = {_labels(budget): ratio for budget, ratio in left.items()}

    def observe_wait(self, until_s: float) -> None:
        """The score query waits until then, epoch seconds; 0 when it waits no longer."""
        self._states[_WAIT] = {(): until_s}

    def observe_sampling(self, rate: float) -> None:
        self._states[_SAMPLING] = {(): rate}

    def described(self) -> tuple[MetricInfo, ...]:
        """Every metric that this class can export."""
        counters = [family.described("counter") for family in self._parts]
        return (*counters, *(family.described("gauge") for family in self._states))

    def collect(self) -> Iterator[Metric]:
        with self._totalling:
            totals = dict(self._totals)
        for family, parts in self._parts.items():
            mine = {labels: n / parts for (of, labels), n in totals.items() if of is family}
            yield family.counter(mine)
        for family, values in self._states.items():
            yield family.gauge(values)

    def _count(self, family: Family, labels: tuple[str, ...], n: int) -> None:
        with self._totalling:
            self._totals[family, labels] += n


def _labels(budget: Budget) -> tuple[str, ...]:
    return (budget.scope, budget.per.value, budget.unit.value)
