"""Counting in bulk against counting one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.pipeline.preaggregate import PANE_COUNTS, pane_counts
from streaming_eval.pipeline.sample_hash import hash_ids
from streaming_eval.pipeline.series_layout import SeriesLayout
from streaming_eval.records import ALL_SEGMENTS, OTHER, SeriesKey
from streaming_eval.stats.levels import Scale, mixed, to_levels, uniforms
from tests.pipeline.scored import Scored, batch

PANE_MS = 60_000
SCALES = {
    ("contains", "v2"): Scale(0.0, 1.0, True, 2),
    ("latency", "v7"): Scale(0.0, 10_000.0, False, 65),
}
LAYOUT = SeriesLayout(
    scales=SCALES,
    models=("assistant", "small", "large"),
    segments={"tier": ("pro", "free"), "country": ()},
    pairs={"small": ("large", "assistant"), "large": ("assistant",)},
    pane_ms=PANE_MS,
)
MODELS = st.sampled_from(["assistant", "small", "large", "stranger", OTHER])
ROWS = st.lists(
    st.builds(
        Scored,
        model=MODELS,
        scorer=st.sampled_from(["contains", "latency", "unknown"]),
        version=st.sampled_from(["v2", "v7"]),
        at_ms=st.integers(-200_000, 200_000),
        segments=st.dictionaries(
            st.sampled_from(["tier", "country", "unlisted"]),
            st.sampled_from(["pro", "free", "gold", OTHER, ""]),
        ),
        value=st.none() | st.floats(-10.0, 12_000.0),
        paired=st.dictionaries(MODELS, st.floats(0.0, 10_000.0)),
        id=st.text("abø", max_size=3),
    ),
    max_size=25,
)
Counts = Counter[tuple[str, int, int]]


def one_by_one(rows: Iterable[Scored], layout: SeriesLayout) -> Counts:
    """(series, pane, level) to a count, by the words of the documentation."""
    counts: Counts = Counter()
    for row in rows:
        scale = layout.scales.get((row.scorer, row.version))
        if scale is None:
            continue
        for against, value in _values(row, layout):
            grid = scale.difference() if against else scale
            level = -1 if value is None else _level(value, grid, row.id, row.scorer)
            model = row.model if row.model in layout.models else OTHER
            for segment in _segments(row, layout):
                key = SeriesKey(model, segment, row.scorer, row.version, against)
                counts[str(key), row.at_ms // PANE_MS * PANE_MS, level] += 1
    return counts


def _values(row: Scored, layout: SeriesLayout) -> Iterator[tuple[str, float | None]]:
    yield "", row.value
    for other in layout.pairs.get(row.model, ()):
        if other in row.paired:
            yield other, None if row.value is None else row.value - row.paired[other]


def _segments(row: Scored, layout: SeriesLayout) -> Iterator[str]:
    yield ALL_SEGMENTS
    for name, allowed in layout.segments.items():
        if name in row.segments:
            value = row.segments[name]
            yield f"{name}={value if value in allowed else OTHER}"


def _level(value: float, scale: Scale, sample_id: str, scorer: str) -> int:
    (salt,) = hash_ids([scorer])
    share = uniforms(mixed(hash_ids([sample_id]), int(salt)))
    return int(to_levels([value], scale, share)[0])


def counted(batches: Sequence[pa.RecordBatch], layout: SeriesLayout = LAYOUT) -> Counts:
    """What `pane_counts` says; every series and pane must have one row."""
    rows = [row for out in pane_counts(iter(batches), layout) for row in out.to_pylist()]
    places = [(row["series_key"], row["pane_ms"]) for row in rows]
    assert len(places) == len(set(places))
    counts: Counts = Counter()
    for row, place in zip(rows, places, strict=True):
        assert len(set(row["levels"])) == len(row["levels"])
        for level, n in zip(row["levels"], row["counts"], strict=True):
            counts[(*place, level)] = n
    return counts


@settings(deadline=None)
@given(ROWS)
def test_the_counts_are_those_of_counting_one_by_one(rows: list[Scored]) -> None:
    assert counted([batch(rows)]) == one_by_one(rows, LAYOUT)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.lists(st.integers(0, 25), max_size=3))
def test_order_and_cuts_into_batches_do_not_matter(
    rows: list[Scored], random: Random, cuts: list[int]
) -> None:
    whole = counted([batch(rows)])
    shuffled = list(rows)
    random.shuffle(shuffled)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [batch(shuffled[begin:end]) for begin, end in pairwise(edges)]
    assert counted(parts) == whole
    assert sum((counted([part]) for part in parts), Counts()) == whole


def test_no_input_at_all_gives_nothing() -> None:
    assert list(pane_counts([], LAYOUT)) == []
    assert list(pane_counts([batch([])], LAYOUT)) == []


def test_an_unknown_evaluation_version_is_passed_over() -> None:
    old = Scored("assistant", "contains", "v1")
    assert counted([batch([old])]) == Counts()
    new = Scored("assistant", "contains", "v2")
    assert set(counted([batch([old, new])]).values()) == {1}


def test_an_unlisted_model_counts_as_other_and_so_does_an_unlisted_segment_value() -> None:
    row = Scored("stranger", "contains", "v2", segments={"tier": "gold", "unlisted": "x"})
    keys = {SeriesKey.parse(text) for text, *_ in counted([batch([row])])}
    assert {(k.model, k.segment) for k in keys} == {(OTHER, ALL_SEGMENTS), (OTHER, f"tier={OTHER}")}


def test_a_missing_score_is_level_minus_one_and_never_a_bad_score() -> None:
    rows = [Scored("assistant", "contains", "v2", value=v) for v in (None, 0.0, 1.0)]
    assert sorted(level for *_, level in counted([batch(rows)])) == [-1, 0, 1]


@pytest.mark.parametrize(("own", "theirs", "level"), [(1.0, 0.0, 2), (0.5, 0.5, 1), (0.0, 1.0, 0)])
def test_a_pair_counts_the_own_score_minus_the_other_s(
    own: float, theirs: float, level: int
) -> None:
    row = Scored("small", "contains", "v2", value=own, paired={"large": theirs})
    counts = counted([batch([row])])
    key = SeriesKey("small", ALL_SEGMENTS, "contains", "v2", "large")
    assert [at for text, _, at in counts if text == str(key)] == [level]


def test_of_a_scorer_in_which_less_is_better_the_faster_model_of_a_pair_is_the_good_one() -> None:
    row = Scored("small", "latency", "v7", value=100.0, paired={"large": 10_000.0})
    key = SeriesKey("small", ALL_SEGMENTS, "latency", "v7", "large")
    (level,) = [at for text, _, at in counted([batch([row])]) if text == str(key)]
    assert level > 60


NASTY = ["a|b", "\\", "|", "\\p", "p|\\|", "ø \n|", ""]


@pytest.mark.parametrize("name", NASTY)
def test_the_key_is_the_text_of_the_series_key_whatever_the_names(name: str) -> None:
    layout = SeriesLayout(
        {(name, "v|2"): Scale(0.0, 1.0, True, 2)},
        (name, "other"),
        {name: (name,)},
        {"other": (name,)},
        PANE_MS,
    )
    own = Scored(name, name, "v|2", segments={name: name})
    paired = Scored("other", name, "v|2", paired={name: 0.0})
    keys = {text for text, *_ in counted([batch([own, paired])], layout)}
    expected = [
        SeriesKey(name, ALL_SEGMENTS, name, "v|2"),
        SeriesKey(name, f"{name}={name}", name, "v|2"),
        SeriesKey("other", ALL_SEGMENTS, name, "v|2"),
    ]
    pair = SeriesKey("other", ALL_SEGMENTS, name, "v|2", name)
    assert keys == {str(key) for key in [*expected, pair]}


def newest(*rows: Scored) -> datetime:
    """What the watermark is computed from; it must be equal in every row."""
    passed_over = Scored("assistant", "contains", "gone", at_ms=2_000, scored_ms=3_000)
    (out,) = pane_counts([batch(rows), batch([passed_over])], LAYOUT)
    assert out.schema == PANE_COUNTS
    assert out.num_rows == len({row.at_ms // PANE_MS for row in rows})
    (moment,) = set(out["newest"].to_pylist())
    assert isinstance(moment, datetime)
    return moment


def test_newest_is_the_newest_event_of_the_whole_input_in_every_row() -> None:
    rows = [Scored("assistant", "contains", "v2", at_ms=at) for at in (5, 1_000_000, 70_000)]
    assert newest(*rows) == datetime.fromtimestamp(1_000, UTC)
    assert newest(replace(rows[0], at_ms=1)) == datetime.fromtimestamp(2, UTC), "of any version"


def test_events_from_a_clock_that_is_ahead_make_nobody_late() -> None:
    honest = Scored("assistant", "contains", "v2", at_ms=70_000, scored_ms=80_000)
    ahead = replace(honest, at_ms=1_000_000, scored_ms=75_000)
    assert newest(honest, ahead) == datetime.fromtimestamp(80, UTC)
