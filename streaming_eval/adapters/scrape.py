"""Reads a metrics page as a scraper does."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

_LIMIT_S = 5.0


def scrape(address: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """Name, labels and value of everything at `http://address/metrics`.

    Raises:
        OSError: nothing answers there, or not with metrics.
    """
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=_LIMIT_S) as reply:
        text = reply.read().decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
