"""Samples that belong together: how they are told, remembered and counted once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.pipeline.clusters import ClusterBy, cluster_of, with_first_of_cluster
from streaming_eval.pipeline.recent_samples import RecentSamples
from streaming_eval.pipeline.series_layout import SeriesLayout
from streaming_eval.records import ALL_SEGMENTS, Message, Sample, SeriesKey
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Scale
from tests.pipeline.scored import Scored, batch, score_row, score_table
from tests.pipeline.test_preaggregate import PANE_MS, Counts, counted

FINE = SeriesLayout(
    {("f1", "v1"): Scale(0.0, 1.0, True, 65)},
    ("assistant", "small"),
    {"tier": ("pro", "free")},
    {"small": ("assistant",)},
    PANE_MS,
)
WEIGHTED = SeriesLayout(FINE.scales, FINE.models, FINE.segments, FINE.pairs, PANE_MS, 16.0)


def sample(*texts: str, conversation: str | None = None) -> Sample:
    messages = tuple(Message("user", text) for text in texts)
    return Sample("s", 0, "assistant", messages, conversation_id=conversation)


def test_a_conversation_is_a_cluster_and_a_sample_without_one_stands_alone() -> None:
    by = ClusterBy.CONVERSATION
    one = cluster_of(sample("a", conversation="c"), by)
    assert one is not None and one == cluster_of(sample("b", conversation="c"), by)
    assert one != cluster_of(sample("a", conversation="d"), by)
    assert cluster_of(sample("a"), by) is None


def test_prompts_that_differ_in_case_and_spacing_are_one_cluster() -> None:
    by = ClusterBy.PROMPT
    assert cluster_of(sample("Why  so?"), by) == cluster_of(sample("why so"), by)
    assert cluster_of(sample("why so"), by) != cluster_of(sample("why", "so"), by)


def test_without_clusters_every_sample_stands_alone() -> None:
    assert cluster_of(sample("a", conversation="c"), ClusterBy.NOTHING) is None


def firsts(recent: RecentSamples, *rows: tuple[int | None, int]) -> list[bool | None]:
    """`first_of_cluster` of samples, given as (cluster, event time in ms)."""
    table = score_table(
        score_row(f"s{n}", cluster=cluster, at_ms=at_ms) for n, (cluster, at_ms) in enumerate(rows)
    )
    marked = with_first_of_cluster(table, recent, PANE_MS, 0)
    return list(marked["first_of_cluster"].to_pylist())


def test_a_cluster_counts_in_its_first_batch_and_there_in_its_first_pane() -> None:
    recent = RecentSamples(3_600_000)
    rows = ((7, 100), (-7, 0), (7, 59_999), (7, 60_000), (None, 0))
    assert firsts(recent, *rows) == [True, True, True, False, None]
    assert firsts(recent, (7, 0), (8, 0), (None, 1)) == [False, True, None]


def series(counts: Counts, segment: str, against: str = "") -> list[tuple[int, int]]:
    """(cell, count) of one series of `assistant`, or of `small` where paired."""
    key = SeriesKey("small" if against else "assistant", segment, "f1", "v1", against)
    return sorted((cell, n) for text, _, cell, n in flat(counts) if text == str(key))


def flat(counts: Counts) -> list[tuple[str, int, int, int]]:
    return [(*place, n) for place, n in counts.items()]


def scored(value: float | None, cluster: int | None = 3, **more: object) -> Scored:
    return Scored("assistant", "f1", "v1", value=value, cluster=cluster, first=True, **more)  # type: ignore[arg-type]


def test_a_cluster_counts_once_with_the_mean_of_its_scores() -> None:
    rows = [scored(v, id=str(v)) for v in (0.25, 0.5, 0.75, 0.5)]
    assert series(counted([batch(rows)], FINE), ALL_SEGMENTS) == [(32, 1)]


def test_what_follows_in_a_cluster_that_was_seen_before_counts_nowhere() -> None:
    later = Scored("assistant", "f1", "v1", value=0.0, cluster=3, first=False)
    assert counted([batch([later, scored(1.0)])], FINE) == counted([batch([scored(1.0)])], FINE)


def test_missing_scores_of_a_cluster_are_counted_one_by_one() -> None:
    rows = [scored(v, id=str(n)) for n, v in enumerate((None, 1.0, None))]
    assert series(counted([batch(rows)], FINE), ALL_SEGMENTS) == [(-1, 2), (64, 1)]


def test_each_segment_counts_its_own_part_of_a_cluster() -> None:
    rows = [scored(0.0, id="a", segments={"tier": "pro"}), scored(1.0, id="b")]
    counts = counted([batch(rows)], FINE)
    assert series(counts, ALL_SEGMENTS) == [(32, 1)]
    assert series(counts, "tier=pro") == [(0, 1)]


def test_models_that_answer_one_conversation_are_counted_apart() -> None:
    other = Scored("small", "f1", "v1", value=1.0, cluster=3, first=True, paired={"assistant": 0.0})
    counts = counted([batch([scored(0.0), other])], FINE)
    assert series(counts, ALL_SEGMENTS) == [(0, 1)]
    assert series(counts, ALL_SEGMENTS, "assistant") == [(64, 1)]


def test_equal_clusters_of_one_sample_are_rounded_as_in_company() -> None:
    """Else a replay that reads a batch in other parts would count something else."""
    alone = [counted([batch([scored(0.4037, cluster=n)])], FINE) for n in range(40)]
    together = counted([batch([scored(0.4037, cluster=n, id=str(n)) for n in range(40)])], FINE)
    assert sum(alone, Counts()) == together


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 3) | st.none(), st.sampled_from([0.0, 0.25, 1.0]) | st.none()),
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
def test_the_counts_of_clusters_are_those_of_counting_one_by_one(
    rows: list[tuple[int | None, float | None]], random: Random
) -> None:
    missing = 0
    groups: dict[float, list[float]] = defaultdict(list)
    for n, (cluster, value) in enumerate(rows):
        if value is None:
            missing += 1
        else:
            groups[n / 100 + 100 if cluster is None else cluster].append(value)
    given = [scored(v, cluster=c, id=str(n)) for n, (c, v) in enumerate(rows)]
    counts = counted([batch(random.sample(given, len(given)))], FINE)
    cells = series(counts, ALL_SEGMENTS)
    assert dict(cells).get(-1, 0) == missing
    assert sum(n for cell, n in cells if cell >= 0) == len(groups)
    total = sum(cell * n for cell, n in cells if cell >= 0)
    mean = sum(float(np.mean(values)) for values in groups.values()) * 64
    assert abs(total - mean) <= len(groups)


@pytest.mark.parametrize(("weight", "share"), [(1.0, 0), (4.0, 2), (16.0, 4), (300.0, 4)])
def test_a_weight_chooses_the_cell_and_one_beyond_the_largest_counts_as_that(
    weight: float, share: int
) -> None:
    row = scored(1.0, cluster=None, weight=weight)
    assert series(counted([batch([row])], WEIGHTED), ALL_SEGMENTS) == [(share * 65 + 64, 1)]
    assert series(counted([batch([row])], FINE), ALL_SEGMENTS) == [(64, 1)], "unweighted"


def test_weights_make_the_mean_that_of_the_traffic() -> None:
    """Good answers are sampled at one in eight, bad ones always."""
    rows = [scored(1.0, None, weight=8.0, id=f"g{n}") for n in range(100)]
    rows += [scored(0.0, None, weight=1.0, id=f"b{n}") for n in range(100)]
    grid = Grid.weighted(65, 16.0)
    counts = np.zeros(grid.cells)
    for cell, n in series(counted([batch(rows)], WEIGHTED), ALL_SEGMENTS):
        counts[cell] += n
    assert float(grid.mean(counts)) == pytest.approx(800 / 900)


TOPICS = SeriesLayout(
    {("topic", "v1"): Scale(0.0, 9.0, True, 10)},
    ("assistant",),
    {},
    {},
    PANE_MS,
    categories=frozenset({"topic"}),
)


def topics(rows: Iterable[Scored]) -> dict[int, int]:
    """Category to count."""
    return {cell: n for (_, _, cell), n in counted([batch(rows)], TOPICS).items()}


def test_of_a_cluster_s_categories_one_is_drawn_and_none_between_them_made_up() -> None:
    rows = [
        Scored("assistant", "topic", "v1", value=value, id=f"{c}-{value}", cluster=c, first=True)
        for c in range(2_000)
        for value in (0.0, 9.0, 9.0)
    ]
    drawn = topics(rows)
    assert set(drawn) == {0, 9}
    assert sum(drawn.values()) == 2_000, "each counts once"
    assert drawn[0] / 2_000 == pytest.approx(1 / 3, abs=0.04)
    assert topics(reversed(rows)) == drawn
