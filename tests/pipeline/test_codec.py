from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.types import StringType, StructField, StructType, _make_type_verifier

from streaming_eval.alerting import Alarm, Baseline, Pane, Resolution, SeriesState, Transition, Why
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


OUTER = Codec(Outer, "outer")
VALUE = Outer("a", 3, 0.5, True, Inner(1, (0.25,)), (Inner(2, (), "x"), Inner(3, (1.0,))), None, 7)
NONE: Any = None
LONGS = st.integers(-(2**63), 2**63 - 1)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
INNERS = st.builds(Inner, LONGS, st.lists(DOUBLES, max_size=3).map(tuple), st.none() | TEXTS)
OUTERS = st.builds(
    Outer,
    TEXTS,
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
def test_unpacking_gives_back_what_was_packed_to_the_last_bit(value: Outer) -> None:
    assert OUTER.unpack(OUTER.pack(value)) == value


@settings(deadline=None)
@given(OUTERS)
def test_what_is_packed_fits_the_schema(value: Outer) -> None:
    _make_type_verifier(OUTER.schema)(OUTER.pack(value))


def test_the_schema_is_one_column_of_readable_text() -> None:
    assert OUTER.schema == StructType([StructField("outer", StringType(), nullable=False)])
    assert json.loads(OUTER.pack(VALUE)[0])["one"] == {"start": 1, "shares": [0.25], "note": None}


def test_the_numbers_of_numpy_are_stored_as_numbers() -> None:
    odd: dict[str, Any] = {"n": np.int64(3), "share": np.float64(0.5)}
    assert OUTER.unpack(OUTER.pack(replace(VALUE, **odd))) == VALUE


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None},
        {"one": None},
        {"n": 1.5},
        {"n": "3"},
        {"share": math.inf},
        {"share": math.nan},
        {"one": Inner(NONE, ())},
        {"one": Inner(1, (-math.inf,))},
        {"many": (None,)},
        {"many": (Inner(1, (NONE,)),)},
    ],
)
def test_what_could_not_be_read_again_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Outer|serializ"):
        OUTER.pack(replace(VALUE, **wrong))


def test_what_is_read_at_once_is_checked_when_it_is_read() -> None:
    passing = Codec(Outer, "outer", read_back=False)
    assert passing.unpack(passing.pack(VALUE)) == VALUE
    unreadable = passing.pack(replace(VALUE, share=math.nan))
    with pytest.raises(ValueError, match="Outer"):
        passing.unpack(unreadable)


@pytest.mark.parametrize(
    "text", ["", "null", "{}", '{"name":"a"}', OUTER.pack(VALUE)[0].replace("3", '"3"', 1)]
)
def test_another_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Outer|JSON"):
        OUTER.unpack((text,))


def test_the_state_of_a_series_survives_the_trip() -> None:
    full = SeriesState(
        open_panes=(Pane(1, (2, 3)),),
        windows=(Pane(0, (5, 8)),),
        baseline=Baseline((1, 9), 0, 7, 2, "b", "someone", "because"),
        alarm=Alarm(3, 2, 11.5, 400),
        transitions=(
            Transition(Alarm(1, 0, 12.5, 9), Resolution(Why.PROMOTED, 2, "someone", "because")),
            Transition(Alarm(3, 2, 11.5, 400)),
        ),
    )
    for state in (SeriesState(), full):
        assert STATE.unpack(STATE.pack(state)) == state
