"""The columns of the table of experiments."""

import pyarrow as pa

_INSTANT = pa.timestamp("us", tz="UTC")

EXPERIMENTS = pa.schema(
    [
        ("experiment", pa.string()),
        ("status", pa.string()),
        ("place", pa.int64()),
        ("candidate", pa.string()),
        ("against", pa.list_(pa.string())),
        ("claim", pa.string()),
        ("scorer", pa.string()),
        ("segment", pa.string()),
        ("alpha", pa.float64()),
        ("opened_at", _INSTANT),
        ("closed_at", _INSTANT),
        ("pairs", pa.int64()),
        ("scorers", pa.list_(pa.string())),
        ("log_evidence", pa.float64()),
        ("log_needed", pa.float64()),
        ("found", pa.bool_()),
    ]
)
