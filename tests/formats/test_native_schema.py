"""The published schema and the parser say the same of every record."""

from __future__ import annotations

import json
import re
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.errors import RecordError
from streaming_eval.formats.native import parse
from streaming_eval.formats.native_schema import json_schema
from streaming_eval.formats.reasons import DeadLetterReason as Reason
from tests.formats.json_schema import valid
from tests.hostile import LIMITS
from tests.hostile_fields import refused_fields
from tests.hostile_records import record
from tests.odd_but_good import odd_but_good

SCHEMA = json_schema(LIMITS)
PAGE = (Path(__file__).parents[2] / "docs" / "sample-record.md").read_text()
FIELDS = [
    "id", "model", "prompt", "messages", "response", "target", "context", "segments",
    "conversation_id", "trace_id", "sampling_fraction", "latency_ms", "usage",
]  # fmt: skip


def accepted(value: bytes) -> bool:
    try:
        parse(value, LIMITS)
    except RecordError:
        return False
    return True


_SCALARS = st.sampled_from(
    [None, True, 0, 1, -1, 0.5, 1.5, 2.0, 2**53, 2**53 + 1, 10**300, "", " ", "user", "b" * 257]
) | st.text(max_size=3)
_KEYS = st.sampled_from(["role", "content", "input_tokens", "output_tokens", "tier"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)
_TURN = st.fixed_dictionaries({"role": _SCALARS | st.just("user"), "content": _SCALARS})


@settings(max_examples=600, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), _VALUES, min_size=1, max_size=2))
def test_the_schema_allows_what_the_parser_reads(changes: dict[str, object]) -> None:
    fields = record(**changes)
    assert accepted(json.dumps(fields).encode()) == valid(fields, SCHEMA)


@settings(max_examples=300, deadline=None)
@given(st.lists(_TURN, max_size=3))
def test_the_schema_allows_the_messages_that_the_parser_reads(messages: list[object]) -> None:
    fields = record(prompt=..., messages=messages)
    assert accepted(json.dumps(fields).encode()) == valid(fields, SCHEMA)


def test_the_schema_refuses_every_wrong_field_of_the_corpus() -> None:
    """But for the instants, of which it describes little more than the format."""
    instants = {Reason.INVALID_TIME, Reason.TIME_OUT_OF_RANGE}
    for reason, values in refused_fields().items():
        for name, value in values.items():
            assert reason in instants or not valid(orjson.loads(value or b""), SCHEMA), name


def test_the_schema_allows_every_odd_but_good_record() -> None:
    for name, value in odd_but_good().items():
        assert valid(orjson.loads(value or b""), SCHEMA), name


def test_the_schema_follows_the_limits_that_are_set() -> None:
    assert json.dumps(SCHEMA) != json.dumps(json_schema(type(LIMITS)(1_024, 1, 1, 1)))


def test_the_page_lists_every_field_and_every_reason() -> None:
    for field in [*FIELDS, "time"]:
        assert f"| `{field}` |" in PAGE
    assert set(re.findall(r"^\| `(\w+)` \| .", PAGE, re.MULTILINE)) >= set(Reason)


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_on_the_page_are_samples(example: str) -> None:
    assert accepted(example.encode())
