"""The page for people at `/`: every series and the pipeline's numbers, without a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from html import escape

from streaming_eval.adapters.prometheus import PipelineMetrics
from streaming_eval.alerting.model_evidence import ModelEvidence, by_model
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import (
    CulpritView,
    EstimateView,
    Promises,
    Snapshot,
    newest_decisions,
    newest_versions,
)
from streaming_eval.stats.e_bh import broken_now

_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; }
table { border-collapse: collapse; margin-bottom: 2em; }
th, td { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.regressed, .drifted { background: #f8d0d0; } .suspect { background: #fbeccb; }
"""
_TELLING = ("suspect", "drifted")  # states of a distribution of which the page says where
_SERIES_HEAD = (
    "model", "segment", "scorer", "against", "window", "n", "missing", "mean", "interval",
    "baseline", "baseline lacks", "evidence", "threshold", "state", "drift", "where", "put down to",
)  # fmt: skip
_BROKEN_HEAD = ("model", "segment", "scorer", "against", "evidence", "threshold", "state")
_MODELS_HEAD = ("model", "scorer", "against", "series", "nearest", "evidence", "threshold")
_Q = 0.1  # share of healthy series in the list of broken ones, on average at most


def status_page(
    snapshot: Snapshot | None, metrics: PipelineMetrics, ready: bool, now_s: float
) -> str:
    """The whole page; every value in it is escaped.

    Args:
        snapshot: None before the first one.
        metrics: of the pipeline.
        ready: whether `/metrics` answers.
        now_s: epoch seconds.
    """
    views = newest_versions(snapshot.estimates) if snapshot else []
    culprits = _culprits(snapshot.culprits if snapshot else ())
    now = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds")
    state = "ready" if ready else "not ready: restoring"
    return "".join(
        (
            "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=5>",
            f"<title>streaming-eval</title><style>{_STYLE}</style><h1>streaming-eval</h1>",
            f"<p>{state} at {now}. <a href=/metrics>Metrics</a></p>",
            _broken(snapshot.promises, views) if snapshot else "",
            "<h2>Series</h2>",
            _table(_SERIES_HEAD, (_series_row(v, culprits.get(v.key, "")) for v in views)),
            "<h2>Pipeline</h2>",
            _table(("metric", "labels", "value"), _pipeline_rows(metrics)),
            "</html>\n",
        )
    )


def _table(head: Iterable[str], rows: Iterable[str]) -> str:
    titles = "".join(f"<th>{escape(title)}" for title in head)
    return f"<table><tr>{titles}{''.join(rows)}</table>"


def _culprits(said: Iterable[CulpritView]) -> dict[SeriesKey, str]:
    """What the open alerts of each series are put down to, in words."""
    words: dict[SeriesKey, str] = {}
    for one in said:
        earlier = f"{words[one.key]}; " if one.key in words else ""
        words[one.key] = f"{earlier}{one.kind}: {one.culprit}"
    return words


def _broken(promises: Promises, views: Iterable[EstimateView]) -> str:
    """The series that may be called broken now, together: more than those with an alarm."""
    alarmed = [v for v in newest_decisions(views) if v.key.scorer in promises.alarmed_scorers]
    evidence, thresholds = ([v.log_evidence for v in alarmed], [v.log_threshold for v in alarmed])
    named = broken_now(evidence, thresholds, _Q)
    worst = sorted(
        (view for view, broken in zip(alarmed, named, strict=True) if broken),
        key=lambda view: view.log_threshold - view.log_evidence,
    )
    days = promises.seconds_per_false_alarm / 86_400
    return (
        f"<h2>Broken now</h2><p>On average at most {_Q:.0%} of the series listed here are healthy, "
        f"for a look within {days:.3g} days (the time per false alarm) after they began to be "
        f"watched; e-d-BH at q = {_Q}, horizon {days:.3g} days. "
        "One series alone needs more evidence than for its alarm, ten or more need less.</p>"
        f"{_table(_BROKEN_HEAD, map(_broken_row, worst)) if worst else '<p>None.</p>'}"
        "<h2>Worse somewhere</h2><p>Models that are worse in any segment, by the evidence of all "
        "together; within the same budget of false alarms as the alarms of the series.</p>"
        f"{_models(by_model(alarmed, promises.alarmed_scorers))}"
    )


def _models(found: Iterable[ModelEvidence]) -> str:
    worst = sorted(
        (each for each in found if each.regressed),
        key=lambda each: each.log_threshold - each.log_evidence,
    )
    return _table(_MODELS_HEAD, map(_model_row, worst)) if worst else "<p>None.</p>"


def _model_row(each: ModelEvidence) -> str:
    words = _cells((each.model, each.scorer, each.against), (f"{each.series:,}",))
    numbers = (f"{each.log_evidence:.2f}", f"{each.log_threshold:.2f}")
    return f"<tr>{words}{_cells((each.worst,), numbers)}"


def _broken_row(view: EstimateView) -> str:
    key = view.key
    numbers = (f"{view.log_evidence:.2f}", f"{view.log_threshold:.2f}")
    cells = _cells((key.model, key.segment, key.scorer, key.against), numbers)
    return f"<tr>{cells}<td>{escape(view.state)}"


def _series_row(view: EstimateView, culprit: str) -> str:
    key = view.key
    paired = bool(key.against)
    words = (key.model, key.segment, key.scorer, key.against, view.window)
    numbers = (
        f"{view.n:,}",
        f"{view.missing:,}",
        _number(view.mean, signed=paired),
        _interval(view),
        _number(view.baseline_mean, signed=paired),
        f"{view.baseline_missing:,}" if view.baseline_missing else "–",
        f"{view.log_evidence:.2f}",
        f"{view.log_threshold:.2f}",
    )
    state = escape(view.state)
    drift = escape(view.drift_state or "–")
    where = escape("; ".join(view.drift_cells)) if view.drift_state in _TELLING else ""
    worst = state if state != "ok" or drift not in _TELLING else drift
    last = "".join(f"<td>{text}" for text in (state, drift, where, escape(culprit)))
    return f'<tr class="{worst}">{_cells(words, numbers)}{last}'


def _interval(view: EstimateView) -> str:
    if not view.has_mean:
        return "–"
    paired = bool(view.key.against)
    return f"{_number(view.lower, signed=paired)} … {_number(view.upper, signed=paired)}"


def _pipeline_rows(metrics: PipelineMetrics) -> Iterator[str]:
    for name, labels, value in metrics.values():
        yield f"<tr>{_cells((name, _joined(labels)), (_value(name, value),))}"


def _cells(words: Iterable[str], numbers: Iterable[str]) -> str:
    left = "".join(f"<td>{escape(word)}" for word in words)
    return left + "".join(f"<td class=number>{escape(number)}" for number in numbers)


def _joined(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items())


def _number(value: float | None, *, signed: bool) -> str:
    if value is None:
        return "–"
    return f"{value:+.4g}" if signed else f"{value:.4g}"


def _value(name: str, value: float) -> str:
    if not name.endswith("_timestamp_seconds"):
        return f"{value:,.10g}"
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds") if value else "never"
