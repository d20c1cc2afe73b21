"""How samples spread over a segment's values, counted once per sample."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from streaming_eval.pipeline.segment_mix import ABSENT, Mix
from streaming_eval.pipeline.series_layout import SeriesLayout
from streaming_eval.records import OTHER, SEGMENT_MIX, SeriesKey
from streaming_eval.stats.levels import MOST_LEVELS, Scale
from tests.pipeline.scored import Scored, batch
from tests.pipeline.test_preaggregate import PANE_MS, counted

MIX = Mix.of(("pro", "free"))
LAYOUT = SeriesLayout(
    {("contains", "v2"): Scale(0.0, 1.0, True, 2), ("f1", "v1"): Scale(0.0, 1.0, True, 65)},
    ("assistant", "small"),
    {"tier": ("pro", "free")},
    {},
    PANE_MS,
    mixes={"tier": MIX},
    production=("assistant",),
)


def mix_of(*rows: Scored, model: str = "assistant") -> dict[tuple[int, int], int]:
    """(pane, category) to a count."""
    key = str(SeriesKey(model, "tier", SEGMENT_MIX, MIX.version))
    counts = counted([batch(rows)], LAYOUT)
    return {(pane, level): n for (text, pane, level), n in counts.items() if text == key}


def sample(name: str, tier: str | None, scorer: str = "contains", at_ms: int = 0) -> Scored:
    segments = {} if tier is None else {"tier": tier}
    version = "v2" if scorer == "contains" else "v1"
    return Scored("assistant", scorer, version, at_ms=at_ms, segments=segments, id=name)


def test_every_sample_counts_once_in_its_category() -> None:
    rows = [sample("a", "pro"), sample("b", "free"), sample("c", "gold"), sample("d", None)]
    both = [*rows, *(replace(row, scorer="f1", version="v1") for row in rows)]
    assert mix_of(*both) == {(0, 0): 1, (0, 1): 1, (0, 2): 1, (0, 3): 1}
    assert MIX.categories == ("pro", "free", OTHER, ABSENT)


def test_samples_count_in_the_pane_of_their_time() -> None:
    rows = [
        sample("a", "pro"),
        sample("b", "pro", at_ms=PANE_MS),
        sample("c", "pro", at_ms=PANE_MS),
    ]
    assert mix_of(*rows) == {(0, 0): 1, (PANE_MS, 0): 2}


def test_a_conversation_counts_once() -> None:
    rows = [replace(sample(name, "pro"), cluster=5, first=True) for name in "abc"]
    later = replace(sample("d", "free"), cluster=6, first=False)
    assert mix_of(*rows, later) == {(0, 0): 1}


def test_candidates_have_no_mix_since_they_answer_the_same_samples() -> None:
    row = replace(sample("a", "pro"), model="small")
    assert mix_of(row, model="small") == {}


def test_a_score_that_is_missing_is_a_sample_all_the_same() -> None:
    assert mix_of(replace(sample("a", "pro"), value=None)) == {(0, 0): 1}


def test_a_long_list_of_values_keeps_to_the_grid() -> None:
    mix = Mix.of(tuple(f"v{n}" for n in range(200)))
    assert mix.scale.levels == MOST_LEVELS
    assert mix.place(pa.chunked_array([["v3", "v150", None]])).tolist() == [3, 63, 64]


@pytest.mark.parametrize("other", [("free", "pro"), ("pro",), ("pro", "free", "gold")])
def test_other_values_are_another_series(other: tuple[str, ...]) -> None:
    assert Mix.of(other).version != MIX.version
