"""2,000 series are scraped no slower than by the client library, measured in the same minute."""

import http.client
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from streaming_eval.adapters.exporter import Exporter
from streaming_eval.adapters.exposition import render
from tests.exporter_data import full_house, serving

pytestmark = pytest.mark.slow


@dataclass(eq=False)
class ByTheLibrary(Collector):
    """The same time series as collector families, made anew at each scrape."""

    families: list[Metric]

    def collect(self) -> Iterator[Metric]:
        for family in self.families:
            labels = list(family.samples[0].labels)
            gauge = GaugeMetricFamily(family.name, family.documentation, labels=labels)
            for sample in family.samples:
                gauge.add_metric([sample.labels[label] for label in labels], sample.value)
            yield gauge


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    started = serving(full_house(time.monotonic()), time.time())
    yield started
    started.stop()


def fastest(action: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of several runs: the one least disturbed by other work."""
    return min(_seconds(action) for _ in range(times))


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def of_the_library(text: bytes) -> CollectorRegistry:
    """A registry of the library's with the same time series."""
    registry = CollectorRegistry()
    families = list(text_string_to_metric_families(text.decode()))
    registry.register(ByTheLibrary([f for f in families if f.samples and f.samples[0].labels]))
    return registry


def scrape(exporter: Exporter, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=30)
    connection.request("GET", "/metrics", headers=dict(headers))
    body = connection.getresponse().read()
    connection.close()
    return body


@pytest.mark.parametrize("headers", [(), (("Accept-Encoding", "gzip"),)])
def test_a_full_house_is_scraped_faster_than_the_library_renders_it(
    exporter: Exporter, headers: tuple[tuple[str, str], ...]
) -> None:
    def first_scrape_of_a_snapshot() -> None:
        scrape(exporter, headers)

    seconds = []
    for _ in range(5):
        exporter.publish(full_house(time.monotonic()))
        seconds.append(_seconds(first_scrape_of_a_snapshot))
    again = fastest(first_scrape_of_a_snapshot, 5)
    registry = of_the_library(render(full_house(time.monotonic())))
    library = fastest(lambda: generate_latest(registry), 3)
    assert min(seconds) <= 1.2 * library
    assert again <= min(seconds)


def test_a_full_house_is_rendered_faster_than_by_the_library() -> None:
    snapshot = full_house(time.monotonic())
    registry = of_the_library(render(snapshot))
    library = fastest(lambda: generate_latest(registry), 3)
    ours = fastest(lambda: render(snapshot), 3)
    assert ours <= 1.2 * library
