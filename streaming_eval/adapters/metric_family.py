"""A metric described once: what docs list and what a scrape shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from streaming_eval.adapters.prometheus_text import PREFIX, MetricInfo

Values = Mapping[tuple[str, ...], float]
"""Label values, in the order of a family's labels, to the value."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric by its name without prefix, a counter's without `_total` either."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    def described(self, kind: str) -> MetricInfo:
        """Its row of docs/metrics.md."""
        name = f"{self.name}_total" if kind == "counter" else self.name
        return MetricInfo(PREFIX + name, kind, self.labels, self.help)

    def counter(self, values: Values) -> CounterMetricFamily:
        """As a counter for one scrape."""
        family = CounterMetricFamily(PREFIX + self.name, self.help, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    def gauge(self, values: Values) -> GaugeMetricFamily:
        """As a gauge for one scrape."""
        family = GaugeMetricFamily(PREFIX + self.name, self.help, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family
