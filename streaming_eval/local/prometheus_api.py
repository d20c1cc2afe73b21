"""Asks a Prometheus server over its HTTP API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import orjson

from streaming_eval.errors import EnvironmentProblem

_TIMEOUT_S = 10.0
# A server on this machine is never behind the proxy that the environment may name.
_OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class QueryValue:
    """One element of an instant vector (a scalar has no labels)."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class PrometheusAlert:
    """An alert that is pending or firing.

    Attributes:
        state: `pending` or `firing`.
        active_at: since when its expression holds, RFC 3339.
    """

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    active_at: str


@dataclass(frozen=True, slots=True)
class PrometheusRule:
    """A rule that the server has loaded.

    Attributes:
        kind: `alerting` or `recording`.
        health: `ok`, `unknown` before the first evaluation, or `err` with `last_error`.
    """

    name: str
    query: str
    kind: str
    health: str
    last_error: str


class PrometheusApi:
    """Questions to one server.

    Args:
        url: of the server, without a path.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def ready(self) -> bool:
        """Whether the server has loaded its data and answers queries."""
        try:
            self._get("/-/ready")
        except EnvironmentProblem:
            return False
        return True

    def query(self, promql: str) -> list[QueryValue]:
        """The expression's value now, as an instant vector.

        Raises:
            EnvironmentProblem: the server refuses the expression, or does not answer.
        """
        data = self._data("query", query=promql)
        if data["resultType"] == "scalar":
            return [QueryValue({}, float(data["result"][1]))]
        return [QueryValue(each["metric"], float(each["value"][1])) for each in data["result"]]

    def alerts(self) -> list[PrometheusAlert]:
        """All pending and firing alerts."""
        return [
            PrometheusAlert(
                name=alert["labels"]["alertname"],
                labels=alert["labels"],
                annotations=alert["annotations"],
                state=alert["state"],
                active_at=alert["activeAt"],
            )
            for alert in self._data("alerts")["alerts"]
        ]

    def rules(self) -> list[PrometheusRule]:
        """All loaded rules, in the order of their files."""
        groups: Sequence[Mapping[str, Any]] = self._data("rules")["groups"]
        return [
            PrometheusRule(
                name=rule["name"],
                query=rule["query"],
                kind=rule["type"],
                health=rule["health"],
                last_error=rule.get("lastError", ""),
            )
            for group in groups
            for rule in group["rules"]
        ]

    def _data(self, endpoint: str, **parameters: str) -> Any:  # noqa: ANN401 - parsed JSON
        query = f"?{urlencode(parameters)}" if parameters else ""
        return orjson.loads(self._get(f"/api/v1/{endpoint}{query}"))["data"]

    def _get(self, path: str) -> bytes:
        try:
            with _OPENER.open(self.url + path, timeout=_TIMEOUT_S) as reply:
                body: bytes = reply.read()
        except HTTPError as error:
            raise EnvironmentProblem(f"Prometheus refused {path}: {_reason(error)}") from None
        except (URLError, OSError) as error:
            raise EnvironmentProblem(f"Prometheus at {self.url} is silent: {error}") from None
        return body


def _reason(error: HTTPError) -> str:
    with error:
        body = error.read()
    try:
        return str(orjson.loads(body)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"HTTP {error.code}"
