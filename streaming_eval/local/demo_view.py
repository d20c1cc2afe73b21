"""What the demo shows while it runs: read from the job's metrics page, as any scraper would."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table

from streaming_eval.adapters.scrape import scrape
from streaming_eval.alerting import MonitorState
from streaming_eval.local.demo_configuration import WINDOW
from streaming_eval.records import ALL_SEGMENTS

_PREFIX = "streaming_eval_"
_PLAIN_EVERY_S = 10.0
_COLOURS = {"regressed": "bold red", "suspect": "yellow", "ok": "green", "insufficient": "dim"}
Labels = Mapping[str, str]
Series = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """One series over all segments, as shown."""

    n: int
    mean: float
    lower: float
    upper: float
    state: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the job's metrics.

    Attributes:
        series: (model, against, scorer) to its line.
    """

    at_s: float
    scored: int = 0
    cache_hits: int = 0
    requests: int = 0
    dead_letters: int = 0
    lag: int = 0
    regressed: int = 0
    series: Mapping[Series, SeriesLine] = field(default_factory=dict)


def read_metrics(address: str) -> Reading:
    """Scrapes the job once.

    Raises:
        OSError: it does not answer.
    """
    named: dict[str, list[tuple[Labels, float]]] = {}
    for name, labels, value in scrape(address):
        named.setdefault(name.removeprefix(_PREFIX), []).append((labels, value))
    return Reading(
        at_s=time.monotonic(),
        scored=_sum(named, "samples_total", outcome="scored"),
        cache_hits=_sum(named, "cache_lookups_total", result="hit"),
        requests=_sum(named, "requests_total"),
        dead_letters=_sum(named, "dead_letters_total"),
        lag=_sum(named, "kafka_lag_records"),
        regressed=_sum(named, "monitor_state", state="regressed"),
        series=_series(named),
    )


def _sum(named: Mapping[str, list[tuple[Labels, float]]], name: str, **labels: str) -> int:
    values = named.get(name, ())
    return round(sum(v for have, v in values if all(have.get(k) == w for k, w in labels.items())))


def _series(named: Mapping[str, list[tuple[Labels, float]]]) -> dict[Series, SeriesLine]:
    columns = {
        name: {_key(labels): value for labels, value in named.get(name, ()) if _shown(labels)}
        for name in ("score_samples", "score_mean", "score_lower", "score_upper")
    }
    states = {
        _key(labels): labels["state"]
        for labels, value in named.get("monitor_state", ())
        if value == 1 and labels["segment"] == ALL_SEGMENTS
    }
    paired = {
        name: {_key(labels): value for labels, value in named.get(name, ()) if _shown(labels)}
        for name in ("effect", "effect_lower", "effect_upper")
    }
    lines: dict[Series, SeriesLine] = {}
    for key, n in sorted(columns["score_samples"].items()):
        prefix = ("effect", "effect_lower", "effect_upper")
        source = [paired[p] for p in prefix] if key[1] else [
            columns[p] for p in ("score_mean", "score_lower", "score_upper")
        ]  # fmt: skip
        if all(key in column for column in source):
            mean, lower, upper = (column[key] for column in source)
            state = states.get(key, MonitorState.INSUFFICIENT)
            lines[key] = SeriesLine(round(n), mean, lower, upper, state)
    return lines


def _shown(labels: Labels) -> bool:
    return labels.get("segment") == ALL_SEGMENTS and labels.get("window") == WINDOW


def _key(labels: Labels) -> Series:
    return labels["model"], labels.get("against", ""), labels["scorer"]


class DemoView:
    """A live table on a terminal, a plain line now and then elsewhere.

    Args:
        console: where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._before: Reading | None = None
        self._printed_at = 0.0

    @contextmanager
    def open(self) -> Iterator[None]:
        """Shows readings for the length of the block."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False) as self._live:
            yield
        self._live = None

    def show(self, reading: Reading, stage: str) -> None:
        """Brings the view up to date."""
        rate = self._rate(reading)
        title = (
            f"{stage} · {reading.scored:,} scored, {rate:,.0f}/s · {reading.requests:,} calls, "
            f"{reading.cache_hits:,} cache hits · lag {reading.lag:,} · "
            f"dead letters {reading.dead_letters:,}"
        )
        if self._live is not None:
            self._live.update(_table(reading, title), refresh=True)
        elif reading.at_s - self._printed_at >= _PLAIN_EVERY_S:
            self._printed_at = reading.at_s
            self._console.print(f"{title} · {reading.regressed} series regressed", highlight=False)

    def _rate(self, reading: Reading) -> float:
        before, self._before = self._before or reading, reading
        seconds = reading.at_s - before.at_s
        return (reading.scored - before.scored) / seconds if seconds > 0 else 0.0


def _table(reading: Reading, title: str) -> Table:
    table = Table(title=title, title_justify="left", expand=False)
    for name in ("model", "against", "scorer"):
        table.add_column(name)
    for name in (f"n ({WINDOW})", "mean", "95% interval"):
        table.add_column(name, justify="right")
    table.add_column("state")
    for (model, against, scorer), line in reading.series.items():
        state = f"[{_COLOURS.get(line.state, '')}]{line.state}[/]"
        interval = f"{line.lower:,.3f} to {line.upper:,.3f}"
        table.add_row(model, against, scorer, f"{line.n:,}", f"{line.mean:,.3f}", interval, state)
    return table
