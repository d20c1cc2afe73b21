"""The demo's account of what happened, counted from the tables and the endpoint's own log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.tables import Tables
from streaming_eval.local.call_log import read_calls
from streaming_eval.local.sample_replay import PRODUCTION_MODEL, Swap


@dataclass(frozen=True, slots=True)
class AlertSummary:
    """One alert; the two delays are None when production had not been swapped by then."""

    series_key: str
    kind: str
    model: str
    against: str
    segment: str
    scorer: str
    opened_at: str
    n_since_began: int
    began_at: str
    baseline_mean: float | None
    mean: float | None
    samples_after_swap: int | None
    seconds_after_swap: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over all runs on the state directory."""

    samples_produced: int
    samples_scored: int
    dead_letters: int
    requests_sent: int
    distinct_cache_keys: int
    cache_hits: int
    swap_at: str | None
    swapped_after_samples: int | None
    alerts: tuple[AlertSummary, ...]
    prometheus_alert_fired: bool | None

    def as_json(self) -> dict[str, object]:
        """The summary as JSON values."""
        return asdict(self)


def summarise(
    root: Path, call_log: Path, produced: int, swap: Swap | None, fired: bool | None
) -> Summary:
    """Counts everything anew from what was written.

    Args:
        root: storage root of the job.
        call_log: the model endpoint's log of calls.
        produced: samples sent.
        swap: when production changed its model.
        fired: whether Prometheus had the alert firing; None when it was not there.
    """
    tables = Tables(root)
    columns = ["sample_id", "model", "scorer", "cache_key", "judge_cache_key", "event_time"]
    scores = tables.read("scores", [*columns, "scored_at"])
    keys = tables.read("responses", ["cache_key"])["cache_key"]
    opened = tables.read("alerts", filters=[("status", "=", "opened")])
    return Summary(
        samples_produced=produced,
        samples_scored=pc.count_distinct(scores["sample_id"]).as_py(),
        dead_letters=tables.read("dead_letters", ["offset"]).num_rows,
        requests_sent=len(read_calls(call_log)),
        distinct_cache_keys=pc.count_distinct(keys).as_py(),
        cache_hits=_cache_hits(scores, keys),
        swap_at=None if swap is None else _iso(_moment(swap.at_ms)),
        swapped_after_samples=None if swap is None else swap.after_samples,
        alerts=tuple(_alerts(opened, scores, swap)),
        prometheus_alert_fired=fired,
    )


def _cache_hits(scores: pa.Table, paid: pa.ChunkedArray) -> int:
    """Uses of paid answers beyond the first of each; a call that failed was no hit.

    One answer is used per sample and candidate, and one per judged response.
    """
    answers = scores.group_by(["sample_id", "model", "cache_key"]).aggregate([])["cache_key"]
    used = pa.chunked_array([*answers.chunks, *scores["judge_cache_key"].chunks], pa.string())
    used = used.filter(pc.is_in(used, paid))
    return int(len(used) - pc.count_distinct(used).as_py())


def _alerts(alerts: pa.Table, scores: pa.Table, swap: Swap | None) -> list[AlertSummary]:
    return [
        AlertSummary(
            series_key=row["series_key"],
            kind=row["kind"],
            model=row["model"],
            against=row["against"],
            segment=row["segment"],
            scorer=row["scorer"],
            opened_at=_iso(row["opened_at"]),
            n_since_began=row["n_since_began"],
            began_at=_iso(row["began_at"]),
            baseline_mean=row["baseline_mean"],
            mean=row["mean_since_baseline"],
            samples_after_swap=_samples_between(scores, swap, row["opened_at"]),
            seconds_after_swap=None
            if swap is None
            else round(row["opened_at"].timestamp() - swap.at_ms / 1_000, 3),
        )
        for row in alerts.sort_by("opened_at").to_pylist()
    ]


def _samples_between(scores: pa.Table, swap: Swap | None, opened_at: datetime) -> int | None:
    """Production samples after the swap that had been scored when the alert opened."""
    if swap is None:
        return None
    of_production = pc.equal(scores["model"], PRODUCTION_MODEL)
    after = pc.greater_equal(scores["event_time"], pa.scalar(_moment(swap.at_ms)))
    before = pc.less_equal(scores["scored_at"], pa.scalar(opened_at))
    seen = scores.filter(pc.and_(pc.and_(of_production, after), before))
    return int(pc.count_distinct(seen["sample_id"]).as_py())


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
