"""Rows of `responses` in the ledger: charged as the calls were, read back as they were entered."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from streaming_eval.adapters.answer_table import responses_table
from streaming_eval.adapters.paid_answers import paid, paid_since
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.cache.cache_key import canonical, key_of
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.inference.spending.budget import Amount, Budget, Per, Unit
from streaming_eval.inference.spending.charge import charged
from streaming_eval.inference.spending.ledger import Ledger, Paid, began_ms
from streaming_eval.inference.spending.price import Price, Prices
from streaming_eval.records import Request, Response, Usage
from tests.inference.requests import request

HOUR_MS = 3_600_000
NOW_MS = 1_741_523_400_000  # half past noon, UTC
PRICES = Prices("USD", {"small": Price(2, 3), "vectors": Price(1, 0)})
VECTOR = Request("http://127.0.0.1/v1", "openai_embeddings", "vectors", ())


def answer(asked: Request, usage: Usage, at_ms: int = NOW_MS, text: str = "Ça va") -> PaidAnswer:
    body = canonical(asked)
    return PaidAnswer(
        key_of(body), body.decode(), Response(text, usage=usage, created_ms=at_ms, attempts=1)
    )


def rows(*answers: PaidAnswer) -> pa.Table:
    return responses_table(answers, "eval")


def test_answers_are_summed_by_model_and_hour() -> None:
    asked, other = request(model="small"), request(model="own")
    entries = paid(
        rows(
            answer(asked, Usage(10, 1), NOW_MS),
            answer(asked, Usage(20, 2), NOW_MS + 29 * 60_000),
            answer(asked, Usage(40, 4), NOW_MS + 30 * 60_000),
            answer(other, Usage(80, 8), NOW_MS),
        ),
        PRICES,
    )
    hour = NOW_MS // HOUR_MS * HOUR_MS
    assert sorted(entries, key=lambda entry: entry.amount.tokens) == [
        Paid(hour, "small", Amount(33, 2 * 30 + 3 * 3)),
        Paid(hour + HOUR_MS, "small", Amount(44, 2 * 40 + 3 * 4)),
        Paid(hour, "own", Amount(88, None)),
    ]


@pytest.mark.parametrize("asked", [request("¿Por qué?", model="small"), VECTOR])
@pytest.mark.parametrize("usage", [Usage(9, 4), Usage(9), Usage(None, 4), Usage()])
def test_a_row_is_charged_what_its_call_was(asked: Request, usage: Usage) -> None:
    one = answer(asked, usage)
    (entry,) = paid(rows(one), PRICES)
    assert entry.amount == charged(asked, one.response, PRICES)


def test_no_rows_are_no_entries() -> None:
    assert paid(rows(), PRICES) == []


@pytest.mark.parametrize("uncounted", [False, True])
def test_the_table_gives_back_what_was_entered_since_the_day_began(
    tmp_path: Path, uncounted: bool
) -> None:
    tables = Tables(tmp_path)
    kept_up = Ledger()
    for n in range(6):
        at_ms = NOW_MS - (5 - n) * 4 * HOUR_MS
        usage = Usage(10 + n, None if uncounted and n == 4 else n)
        new = rows(answer(request(f"question {n}", model="small"), usage, at_ms))
        tables.append_untracked("responses", new)
        kept_up = kept_up.record(paid(new, PRICES), at_ms)
    restarted = Ledger().record(paid_since(tables, "eval", began_ms(NOW_MS), PRICES), NOW_MS)
    for unit in Unit:
        for per in Per:
            budget = Budget(unit, 10**9, per)
            assert restarted.spent(budget, NOW_MS) == kept_up.spent(budget, NOW_MS) > 0
    assert len(restarted.hours) == 4  # the day is twelve and a half hours old
