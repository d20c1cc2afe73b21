from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import Row
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    _make_type_verifier,
)

from streaming_eval.alerting import Alarm, Pane, SeriesState
from streaming_eval.pipeline.codec import Codec
from streaming_eval.pipeline.series_processor import STATE


@dataclass(frozen=True, slots=True)
class Inner:
    start: int
    shares: tuple[float, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    n: int
    share: float
    on: bool
    one: Inner
    many: tuple[Inner, ...]
    maybe: Inner | None
    at: int | None


OUTER = Codec(Outer)
VALUE = Outer("a", 3, 0.5, True, Inner(1, (0.25,)), (Inner(2, (), "x"), Inner(3, (1.0,))), None, 7)
NONE: Any = None
LONGS = st.integers(-(2**63), 2**63 - 1)
DOUBLES = st.floats(allow_nan=False)
INNERS = st.builds(
    Inner, LONGS, st.lists(DOUBLES, max_size=3).map(tuple), st.none() | st.text(max_size=3)
)
OUTERS = st.builds(
    Outer,
    st.text(max_size=5),
    LONGS,
    DOUBLES,
    st.booleans(),
    INNERS,
    st.lists(INNERS, max_size=3).map(tuple),
    st.none() | INNERS,
    st.none() | LONGS,
)


@settings(deadline=None)
@given(OUTERS)
def test_unpacking_gives_back_what_was_packed(value: Outer) -> None:
    assert OUTER.unpack(OUTER.pack(value)) == value


@settings(deadline=None)
@given(OUTERS)
def test_what_is_packed_fits_the_schema_to_any_depth(value: Outer) -> None:
    _make_type_verifier(OUTER.schema)(OUTER.pack(value))


def test_spark_may_hand_back_rows_and_lists() -> None:
    row = Row(
        name="a",
        n=3,
        share=0.5,
        on=True,
        one=Row(start=1, shares=[0.25], note=None),
        many=[Row(start=2, shares=[], note="x"), Row(start=3, shares=[1.0], note=None)],
        maybe=None,
        at=7,
    )
    assert OUTER.unpack(row) == VALUE


def test_the_schema_has_the_names_and_types_of_the_fields() -> None:
    inner = StructType(
        [
            StructField("start", LongType()),
            StructField("shares", ArrayType(DoubleType(), containsNull=False)),
            StructField("note", StringType()),
        ]
    )
    assert OUTER.schema == StructType(
        [
            StructField("name", StringType()),
            StructField("n", LongType()),
            StructField("share", DoubleType()),
            StructField("on", BooleanType()),
            StructField("one", inner),
            StructField("many", ArrayType(inner, containsNull=False)),
            StructField("maybe", inner),
            StructField("at", LongType()),
        ]
    )


def test_numbers_of_the_wrong_kind_are_cast_because_spark_would_store_null() -> None:
    odd: dict[str, Any] = {"n": np.int64(3), "share": 1, "on": np.bool_(True), "at": True}
    inner: tuple[Any, Any] = (np.int32(1), (np.float32(0.25), 2))
    _, n, share, on, (start, shares, _), _, _, at = OUTER.pack(
        replace(VALUE, **odd, one=Inner(*inner))
    )
    kinds = [type(v) for v in (n, share, on, start, *shares, at)]
    assert kinds == [int, float, bool, int, float, float, int]


@pytest.mark.parametrize(
    "hole",
    [
        {"name": None},
        {"one": None},
        {"one": Inner(NONE, ())},
        {"many": (None,)},
        {"many": (Inner(1, (NONE,)),)},
    ],
)
def test_none_is_refused_where_it_has_no_place(hole: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="None where"):
        OUTER.pack(replace(VALUE, **hole))


@pytest.mark.parametrize("row", [("a", 1), (*OUTER.pack(VALUE), 0)])
def test_a_row_of_another_length_is_refused(row: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        OUTER.unpack(row)


def test_an_output_row_has_the_schema_s_names_to_any_depth() -> None:
    row = OUTER.row(replace(VALUE, maybe=Inner(9, ()))).asDict()
    assert list(row) == OUTER.schema.fieldNames()
    inner = OUTER.schema["one"].dataType
    assert isinstance(inner, StructType)
    assert [list(part) for part in (row["one"], row["many"][0], row["maybe"])] == [
        inner.fieldNames()
    ] * 3


def test_the_state_of_a_series_survives() -> None:
    full = SeriesState(
        open_panes=(Pane(60_000, (1, 2)),),
        windows=(Pane(0, (1, 2)), Pane(300_000, (0, 4))),
        baseline_counts=(10, 90),
        baseline_end_ms=60_000,
        since_counts=(3, 4),
        last_closed_ms=0,
        alarm=Alarm(0, 0, 12.5, 7),
        n_late=1,
    )
    for state in (SeriesState(), full):
        assert STATE.unpack(STATE.pack(state)) == state
