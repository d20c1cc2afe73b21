"""Rows of `responses` as entries of the ledger: the same at every commit as after a restart."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.spending.charge import WITHOUT_OUTPUT, amount
from streaming_eval.inference.spending.ledger import Paid
from streaming_eval.inference.spending.price import Prices

_COUNTED = ["api", "model", "input_tokens", "output_tokens", "created_at"]
_TEXTS = ["request", "text"]
_KEY = ["model", "hour"]
_US_PER_HOUR = 3_600_000_000


def paid_since(tables: Tables, job: str, since_ms: int, prices: Prices) -> list[Paid]:
    """What every answer that a job has paid for since that moment was charged.

    Texts are read only where an answer came without its tokens.
    """
    since = dt.datetime.fromtimestamp(since_ms / 1_000, dt.UTC)
    filters: list[tuple[str, str, object]] = [("created_at", ">=", since), ("job", "=", job)]
    rows = tables.read("responses", _COUNTED, filters)
    if rows["input_tokens"].null_count or rows["output_tokens"].null_count:
        rows = tables.read("responses", _COUNTED + _TEXTS, filters)
    return paid(rows, prices)


def paid(rows: pa.Table, prices: Prices) -> list[Paid]:
    """What the answers in rows of `responses` were charged: one sum per model and UTC hour.

    Tokens that the API did not count are taken as `charge.charged` takes them.
    """
    if not rows.num_rows:
        return []
    counted = pa.table(
        {
            "model": rows["model"],
            "hour": pc.divide(rows["created_at"].cast(pa.int64()), _US_PER_HOUR),
            "input": _input_tokens(rows),
            "output": _output_tokens(rows),
        }
    )
    sums = counted.group_by(_KEY).aggregate([("input", "sum"), ("output", "sum")])
    return [
        Paid(
            row["hour"] * 3_600_000,
            row["model"],
            amount(row["model"], row["input_sum"], row["output_sum"], prices),
        )
        for row in sums.to_pylist()
    ]


def _input_tokens(rows: pa.Table) -> pa.ChunkedArray:
    tokens = rows["input_tokens"]
    return pc.coalesce(tokens, _bytes(rows["request"])) if tokens.null_count else tokens


def _output_tokens(rows: pa.Table) -> pa.ChunkedArray:
    tokens = rows["output_tokens"]
    if not tokens.null_count:
        return tokens
    without = pc.is_in(rows["api"], pa.array(sorted(WITHOUT_OUTPUT)))
    return pc.coalesce(tokens, pc.if_else(without, 0, _bytes(rows["text"])))


def _bytes(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_length(texts).cast(pa.int64())
