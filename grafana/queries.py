"""The queries that a board would send to Prometheus, so that tests can send them too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_LABEL_VALUES = re.compile(r"label_values\((?P<metric>.+), (?P<label>\w+)\)")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def panel_queries(board: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(panel title, PromQL) of every query of a board in classic JSON, variables unresolved."""
    return [
        (panel["title"], target["expr"])
        for panel in panels(board)
        for target in panel.get("targets", ())
    ]


def variable_queries(board: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(variable name, PromQL) of every variable that is read from labels.

    Grafana asks for the label's values; grouping by the label finds the same ones.
    """
    return [
        (variable["name"], label_values_query(variable["query"]))
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    ]


def panels(board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every panel that shows something, those inside rows included."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def label_values_query(query: str) -> str:
    """PromQL with one time series per value of the label.

    >>> label_values_query('label_values(up{job="a"}, instance)')
    'group by (instance) (up{job="a"})'
    """
    match = _LABEL_VALUES.fullmatch(query)
    if match is None:
        raise ValueError(f"label_values(metric, label) is needed, not {query!r}")
    return f"group by ({match['label']}) ({match['metric']})"


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `$name` and `${name}` replaced, as Grafana does before it asks.

    Args:
        text: a query or a title.
        values: variable name to value; `__rate_interval` and such are given like any other.

    Raises:
        KeyError: a variable has no value.

    >>> substitute('rate(x{job="$job"}[$__rate_interval])', {"job": "a", "__rate_interval": "1m"})
    'rate(x{job="a"}[1m])'
    """
    return _VARIABLE.sub(lambda match: values[match[1]], text)
