"""Whole-answer comparisons: against what was produced, and between two runs of the same topic."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from itertools import product
from typing import Any

import pyarrow as pa

from streaming_eval.local.demo_configuration import CANDIDATES
from streaming_eval.local.sample_replay import PRODUCTION_MODEL
from streaming_eval.pipeline.window_rows import SINCE_BASELINE
from tests.faults.checks import Checks
from tests.faults.site import Place

MEASURED = "latency_ms"
_SCORE_KEY = ("sample_id", "model", "scorer", "evaluation_version")
_SCORE_VALUES = (
    "value", "paired_values", "event_time", "segments", "weight", "status", "error", "explanation",
    "cache_key", "judge_cache_key", "topic", "partition", "offset",
)  # fmt: skip
_WINDOW_KEY = ("series_key", "window", "window_start")
_LAST_WORD = ("counts", "lower", "upper", "mean", "effect", "missing", "late", "log_evidence",
    "log_threshold", "state", "baseline_n", "baseline_mean")  # fmt: skip
_WINDOW_VALUES = ("counts", "lower", "upper", "mean")
_BASELINE_VALUES = ("counts", "period_end", "mean", "lower_bound")

Keyed = dict[Hashable, object]


def check_scored_once(checks: Checks, place: Place, ids: Sequence[str]) -> None:
    """Every produced sample, for all three models and all scorers, is in `scores` exactly once."""
    versions = place.read("evaluation_versions").to_pylist()
    scorers = [(row["scorer"], row["evaluation_version"]) for row in versions]
    models = (PRODUCTION_MODEL, *CANDIDATES)
    wanted = [(i, model, *scorer) for i, model, scorer in product(ids, models, scorers)]
    got = _rows(place.read("scores"), _SCORE_KEY)
    checks.figure(f"{len(got):,} scores of {len(ids):,} samples")
    checks.same_members("scores", got, wanted)
    checks.equal("dead letters", place.read("dead_letters").num_rows, 0)


def check_none_failed(checks: Checks, place: Place) -> None:
    """No call came to nothing for good."""
    errors = place.read("scores").to_pylist()
    failed = Counter(row["error"] for row in errors if row["status"] == "failed")
    checks.equal("failed scores, by reason", dict(failed), {})


def check_paid_once(
    checks: Checks, place: Place, *, in_flight: int, kills_ns: Sequence[int] = ()
) -> None:
    """Calls are the distinct keys and, for each kill, at most what was in flight then.

    Args:
        checks: told the figures.
        place: of the run.
        in_flight: calls that the job may have open at once.
        kills_ns: when it was killed, epoch nanoseconds, in order.
    """
    keys = place.read("responses")["cache_key"].to_pylist()
    checks.equal("rows of responses beyond one per key", len(keys) - len(set(keys)), 0)
    calls = place.calls()
    asked: dict[tuple[str, str], list[int]] = defaultdict(list)
    for call in calls:
        asked[call.model, call.body_sha256].append(call.time_ns)
    # A repeated call belongs to the kill that it follows.
    excess = Counter(bisect(kills_ns, t) for times in asked.values() for t in sorted(times)[1:])
    checks.figure(
        f"{len(calls):,} calls for {len(asked):,} distinct keys; {excess.total()} too many, "
        f"by kill {[excess[i + 1] for i in range(len(kills_ns))]}, {in_flight} allowed for each; "
        f"no key paid more than {max(map(len, asked.values()), default=0)} times"
    )
    checks.equal("keys in responses, and asked", len(set(keys)), len(asked))
    checks.equal("repeated calls before the first kill", excess[0], 0)
    checks.expect(
        all(n <= in_flight for n in excess.values()), f"more than {in_flight} repeated at a kill"
    )
    often = [key for key, times in asked.items() if len(times) > len(kills_ns) + 1]
    checks.expect(not often, f"{len(often)} keys paid more than {len(kills_ns) + 1} times")
    checks.equal("calls that were refused", [c for c in calls if c.status != 200][:3], [])


def check_same_scores(checks: Checks, place: Place, undisturbed: Place) -> None:
    """Row by row what the undisturbed run has, to the last bit but for measured latencies."""
    got, wanted = (_scores(p.read("scores")) for p in (place, undisturbed))
    checks.same_values("scores against the undisturbed run", got, wanted)


def check_same_conclusions(checks: Checks, place: Place, undisturbed: Place) -> None:
    """The same counts, intervals, evidence and states in the end, for every series and window."""
    for run in (place, undisturbed):
        _check_written_once(checks, run)
    got, wanted = (_estimates(p.read("estimates")) for p in (place, undisturbed))
    for what in wanted:
        checks.figure(f"{len(wanted[what]):,} {what}")
        checks.same_values(what, got[what], wanted[what])
    baselines = (_by_series(p.read("baselines"), _BASELINE_VALUES) for p in (place, undisturbed))
    checks.same_values("baselines", *baselines)


def check_same_alerts(checks: Checks, place: Place, undisturbed: Place, *, at_least: int) -> None:
    """The same series have an open alert, of each kind at most one."""
    got, wanted = (_alerted(place.read("alerts")) for place in (place, undisturbed))
    checks.figure(f"{len(wanted)} open alerts")
    checks.same_members("alerts against the undisturbed run", got, wanted)
    checks.expect(len(wanted) >= at_least, f"only {len(wanted)} alerts to compare")


def _alerted(alerts: pa.Table) -> list[tuple[str, str]]:
    """Series and kind of the alerts that were opened and not resolved."""
    rows = alerts.to_pylist()
    resolved = {row["alert_id"] for row in rows if row["status"] == "resolved"}
    still = (r for r in rows if r["status"] == "opened" and r["alert_id"] not in resolved)
    return [(row["series_key"], row["kind"]) for row in still]


def _check_written_once(checks: Checks, place: Place) -> None:
    for table, columns in (
        ("estimates", (*_WINDOW_KEY, "batch_id")),
        ("baselines", _WINDOW_KEY[:1]),
    ):
        keys = _rows(place.read(table), columns)
        checks.equal(f"rows of {table} beyond one per key", len(keys) - len(set(keys)), 0)


def _scores(table: pa.Table) -> Keyed:
    keys = _rows(table, _SCORE_KEY)
    values = _rows(table, _SCORE_VALUES)
    return {
        key: _presence(value) if key[2] == MEASURED and key[1] in CANDIDATES else value
        for key, value in zip(keys, values, strict=True)
    }


def _presence(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row of a latency that was measured, hence different each time, without its number."""
    value, paired, *rest = values
    return (value is not None and math.isfinite(value), tuple(m for m, _ in paired), *rest)


def _estimates(table: pa.Table) -> dict[str, Keyed]:
    """The last estimate of each window, and the last word on each series.

    Evidence and state are of the moment, so only the last word on a series has them.
    """
    rows = table.sort_by("batch_id").to_pylist()
    windows = {tuple(r[n] for n in _WINDOW_KEY): r for r in rows if r["window"] != SINCE_BASELINE}
    last = {r["series_key"]: r for r in rows if r["window"] == SINCE_BASELINE}
    return {
        "windows": {key: _known(r, _WINDOW_VALUES) for key, r in windows.items()},
        "series": {key: _known(r, _LAST_WORD) for key, r in last.items()},
    }


def _by_series(table: pa.Table, columns: Sequence[str]) -> Keyed:
    return {row["series_key"]: _known(row, columns) for row in table.to_pylist()}


def _known(row: dict[str, Any], columns: Sequence[str]) -> tuple[Any, ...]:
    """What does not depend on how long a candidate took to answer."""
    if row["scorer"] == MEASURED and row["model"] in CANDIDATES:
        return (row["n"], row.get("period_end"))
    if row.get("baseline_mean", 0) is None:
        # How much has been collected for a baseline depends on the watermark at the last look.
        row = {**row, "baseline_n": None}
    return tuple(_plain(row[name]) for name in columns)


def _rows(table: pa.Table, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    lists = (table[name].to_pylist() for name in columns)
    return [tuple(map(_plain, row)) for row in zip(*lists, strict=True)]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    return tuple(value) if isinstance(value, list) else value
