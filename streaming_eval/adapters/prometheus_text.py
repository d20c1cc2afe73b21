"""How a metric is described and how its lines are written, in both of Prometheus' text formats."""

from __future__ import annotations

import math
from dataclasses import dataclass

PREFIX = "streaming_eval_"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """One row of docs/metrics.md."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def head(name: str, text: str) -> str:
    """What comes before the lines of a gauge."""
    return f"# HELP {name} {text}\n# TYPE {name} gauge\n"


def escaped(value: str) -> str:
    """A label's value as it stands between quotation marks."""
    return value.translate(_ESCAPES)


def number(value: float) -> str:
    """A sample's value.

    >>> number(0.5), number(math.inf)
    ('0.5', '+Inf')
    """
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else f"{value:+}".replace("inf", "Inf")
