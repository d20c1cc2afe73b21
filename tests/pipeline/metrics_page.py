"""What the exporter of a running job shows."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from streaming_eval.adapters.prometheus_text import PREFIX
from streaming_eval.local.ports import LOOPBACK

Labels = frozenset[tuple[str, str]]
Page = Mapping[tuple[str, Labels], float]
NOBODY_LISTENS = 0
_TIMEOUT_S = 5.0


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body; status 0 where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}{path}", timeout=_TIMEOUT_S) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""
    except OSError:
        return NOBODY_LISTENS, ""


def metrics(port: int) -> Page:
    """Every sample on the page, by name without our prefix, and labels; nothing unless ready."""
    status, text = get(port, "/metrics")
    if status != 200:
        return {}
    return {
        (sample.name.removeprefix(PREFIX), _labels(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(page: Page, name: str, **labels: str) -> float:
    """One sample; 0 when it is not there."""
    return page.get((name, _labels(labels)), 0.0)


def named(page: Page, name: str) -> dict[Labels, float]:
    """All samples of one metric."""
    return {labels: number for (metric, labels), number in page.items() if metric == name}


def _labels(labels: Mapping[str, str]) -> Labels:
    """To Prometheus an empty label is an absent one."""
    return frozenset((name, text) for name, text in labels.items() if text)
