"""The columns of every Delta table: the public interface for lakehouse users.

Each table lies under `storage.root/tables/<name>`. Instants are UTC microseconds.
"""

from types import MappingProxyType

import pyarrow as pa

from streaming_eval.adapters.experiment_schema import EXPERIMENTS

_INSTANT = pa.timestamp("us", tz="UTC")
_STRINGS = pa.map_(pa.string(), pa.string())
_DOUBLES = pa.map_(pa.string(), pa.float64())
_QUANTILE = pa.struct([(name, pa.float64()) for name in ("p", "value", "lower", "upper")])
_SERIES = (
    ("series_key", pa.string()),
    ("model", pa.string()),
    ("segment", pa.string()),
    ("scorer", pa.string()),
    ("evaluation_version", pa.string()),
    ("against", pa.string()),
)

RESPONSES = pa.schema(
    [
        ("cache_key", pa.string()),
        ("endpoint", pa.string()),
        ("api", pa.string()),
        ("model", pa.string()),
        ("revision", pa.string()),
        ("request", pa.string()),
        ("text", pa.string()),
        ("finish_reason", pa.string()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("latency_ms", pa.float64()),
        ("attempts", pa.int32()),
        ("created_at", _INSTANT),
        ("job", pa.string()),
    ]
)

SCORES = pa.schema(
    [
        ("sample_id", pa.string()),
        ("model", pa.string()),
        ("scorer", pa.string()),
        ("evaluation_version", pa.string()),
        ("event_time", _INSTANT),
        ("event_date", pa.date32()),
        ("segments", _STRINGS),
        ("value", pa.float64()),
        ("paired_values", _DOUBLES),
        ("weight", pa.float64()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("explanation", pa.string()),
        ("cache_key", pa.string()),
        ("judge_cache_key", pa.string()),
        ("anchor_id", pa.string()),
        ("conversation_id", pa.string()),
        ("trace_id", pa.string()),
        ("cluster", pa.int64()),
        ("first_of_cluster", pa.bool_()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("scored_at", _INSTANT),
        ("batch_id", pa.int64()),
    ]
)

DEAD_LETTERS = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("kafka_time", _INSTANT),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("rejected_at", _INSTANT),
        ("batch_id", pa.int64()),
    ]
)

PENDING = pa.schema(
    [
        ("application", pa.string()),
        ("batch_id", pa.int64()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("kafka_time", _INSTANT),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("batches", pa.int32()),
        ("tries", pa.int32()),
        ("settled", pa.bool_()),
        ("reason", pa.string()),
        ("not_before", _INSTANT),
        ("sampling_rate", pa.float64()),
        ("committed_at", _INSTANT),
    ]
)

ESTIMATES = pa.schema(
    [
        *_SERIES,
        ("window", pa.string()),
        ("window_start", _INSTANT),
        ("closed", pa.bool_()),
        ("n", pa.int64()),
        ("missing", pa.int64()),
        ("late", pa.int64()),
        ("mean", pa.float64()),
        ("lower", pa.float64()),
        ("upper", pa.float64()),
        ("alpha", pa.float64()),
        ("counts", pa.list_(pa.int64())),
        ("baseline_n", pa.int64()),
        ("baseline_version", pa.int64()),
        ("baseline_missing", pa.int64()),
        ("baseline_mean", pa.float64()),
        ("effect", pa.float64()),
        ("effect_lower", pa.float64()),
        ("effect_upper", pa.float64()),
        ("log_evidence", pa.float64()),
        ("log_threshold", pa.float64()),
        ("state", pa.string()),
        ("drift_log_evidence", pa.float64()),
        ("drift_log_threshold", pa.float64()),
        ("drift_state", pa.string()),
        ("drift_cells", pa.list_(pa.string())),
        ("quantiles", pa.list_(_QUANTILE)),
        ("updated_at", _INSTANT),
        ("updated_date", pa.date32()),
        ("batch_id", pa.int64()),
    ]
)

ALERTS = pa.schema(
    [
        ("alert_id", pa.string()),
        ("revision", pa.int32()),
        ("status", pa.string()),
        ("kind", pa.string()),
        *_SERIES,
        ("opened_at", _INSTANT),
        ("opened_pane", _INSTANT),
        ("began_at", _INSTANT),
        ("n_since_began", pa.int64()),
        ("n_scored", pa.int64()),
        ("mean_since_baseline", pa.float64()),
        ("lower", pa.float64()),
        ("upper", pa.float64()),
        ("baseline_n", pa.int64()),
        ("baseline_mean", pa.float64()),
        ("log_evidence", pa.float64()),
        ("log_threshold", pa.float64()),
        ("sample_ids", pa.list_(pa.string())),
        ("drift_cells", pa.list_(pa.string())),
        ("culprit", pa.string()),
        ("attributed_at", _INSTANT),
        ("resolved_at", _INSTANT),
        ("resolved_pane", _INSTANT),
        ("why", pa.string()),
        ("who", pa.string()),
        ("reason", pa.string()),
        ("batch_id", pa.int64()),
    ]
)

BASELINES = pa.schema(
    [
        ("baseline_id", pa.string()),
        *_SERIES,
        ("status", pa.string()),
        ("version", pa.int64()),
        ("kind", pa.string()),
        ("seasonal", pa.bool_()),
        ("n", pa.int64()),
        ("counts", pa.list_(pa.int64())),
        ("mean", pa.float64()),
        ("lower_bound", pa.float64()),
        ("source", pa.string()),
        ("period_start", _INSTANT),
        ("period_end", _INSTANT),
        ("promoted_by", pa.string()),
        ("reason", pa.string()),
        ("created_at", _INSTANT),
        ("batch_id", pa.int64()),
    ]
)

DECISIONS = pa.schema(
    [
        ("decision_id", pa.string()),
        ("kind", pa.string()),
        *_SERIES,
        ("baseline_id", pa.string()),
        ("counts", pa.list_(pa.int64())),
        ("period_start", _INSTANT),
        ("period_end", _INSTANT),
        ("alert_id", pa.string()),
        ("opened_pane", _INSTANT),
        ("known_until", _INSTANT),
        ("decided_by", pa.string()),
        ("reason", pa.string()),
        ("decided_at", _INSTANT),
    ]
)

EVALUATION_VERSIONS = pa.schema(
    [
        ("evaluation_version", pa.string()),
        ("scorer", pa.string()),
        ("definition", pa.string()),
        ("created_at", _INSTANT),
    ]
)

SCHEMAS = MappingProxyType(
    {
        "responses": RESPONSES,
        "scores": SCORES,
        "dead_letters": DEAD_LETTERS,
        "pending": PENDING,
        "estimates": ESTIMATES,
        "alerts": ALERTS,
        "baselines": BASELINES,
        "decisions": DECISIONS,
        "experiments": EXPERIMENTS,
        "evaluation_versions": EVALUATION_VERSIONS,
    }
)
PARTITIONED_BY = MappingProxyType({"scores": ["event_date"], "estimates": ["updated_date"]})
# Columns whose smallest and largest values Delta's log notes per file. Of texts it would hold the
# first characters, long after the row itself has been erased.
STATISTICS = MappingProxyType(
    {
        "responses": ("cache_key", "endpoint", "model", "revision", "created_at"),
        "scores": (
            *("model", "scorer", "evaluation_version", "event_time", "value", "status"),
            *("topic", "partition", "offset", "scored_at", "batch_id"),
        ),
    }
)
