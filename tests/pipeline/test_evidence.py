from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from streaming_eval.adapters.tables import Tables
from streaming_eval.pipeline.evidence import SHOWN, worst_samples
from streaming_eval.records import ALL_SEGMENTS, OTHER, SeriesKey
from tests.pipeline.scored import score_row, score_table

BEGAN_MS = 1_700_000_000_000
KEY = SeriesKey("assistant", ALL_SEGMENTS, "contains", "v1")


def row(sample_id: str, value: float | None, **columns: object) -> dict[str, object]:
    return score_row(sample_id, value, **({"at_ms": BEGAN_MS} | columns))


def segment(tier: str) -> list[tuple[str, str]]:
    return [("tier", tier)]


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path)


def worst(tables: Tables, key: SeriesKey, rows: Iterable[Mapping[str, object]]) -> list[str]:
    tables.append_untracked("scores", score_table(rows))
    return worst_samples(
        tables, key, BEGAN_MS, higher_is_better=True, allowed=("pro", "free"), models=KNOWN
    )


KNOWN = ("assistant", "small")


def test_the_worst_come_first_and_those_without_a_score_not_at_all(tables: Tables) -> None:
    rows = [row("good", 0.9), row("worst", 0.1), row("failed", None), row("bad", 0.2)]
    assert worst(tables, KEY, rows) == ["worst", "bad", "good"]


def test_of_a_scorer_in_which_less_is_better_the_largest_come_first(tables: Tables) -> None:
    tables.append_untracked("scores", score_table([row("fast", 10.0), row("slow", 900.0)]))
    assert worst_samples(tables, KEY, BEGAN_MS, higher_is_better=False) == ["slow", "fast"]


def test_only_the_worst_are_shown(tables: Tables) -> None:
    rows = [row(f"s{n}", n / 100) for n in reversed(range(100))]
    assert worst(tables, KEY, rows) == [f"s{n}" for n in range(SHOWN)]


def test_samples_before_the_drop_began_are_no_evidence(tables: Tables) -> None:
    day_ms = 86_400_000
    rows = [row(f"{n}", 0.0, at_ms=BEGAN_MS + n) for n in (-day_ms, -1, 0, 1, day_ms)]
    assert sorted(worst(tables, KEY, rows)) == ["0", "1", str(day_ms)]


@pytest.mark.parametrize(
    "elsewhere",
    [{"model": "small"}, {"scorer": "token_f1"}, {"evaluation_version": "v0"}],
)
def test_other_models_scorers_and_versions_are_no_evidence(
    tables: Tables, elsewhere: dict[str, str]
) -> None:
    assert worst(tables, KEY, [row("mine", 0.5), row("other", 0.0, **elsewhere)]) == ["mine"]


def test_in_a_pair_the_difference_counts_where_both_have_a_score(tables: Tables) -> None:
    key = SeriesKey("assistant", ALL_SEGMENTS, "contains", "v1", "small")
    rows = [
        row("both_bad", 0.0, paired_values=[("small", 0.0)]),
        row("lost", 0.4, paired_values=[("large", 0.0), ("small", 1.0)]),
        row("won", 1.0, paired_values=[("small", 0.0)]),
        row("failed", None, paired_values=[("small", 1.0)]),
        row("alone", 0.0, paired_values=[("large", 1.0)]),
    ]
    assert worst(tables, key, rows) == ["lost", "both_bad", "won"]


@pytest.mark.parametrize(
    ("wanted", "found"), [("pro", ["p"]), (OTHER, ["g", "empty"]), ("free", [])]
)
def test_a_segment_s_samples_are_those_with_its_value(
    tables: Tables, wanted: str, found: list[str]
) -> None:
    rows = [
        row("p", 0.3, segments=segment("pro")),
        row("g", 0.1, segments=segment("gold")),
        row("empty", 0.2, segments=segment("")),
        row("none", 0.0),
        row("other_name", 0.0, segments=[("country", "pro")]),
    ]
    key = SeriesKey("assistant", f"tier={wanted}", "contains", "v1")
    assert worst(tables, key, rows) == found


def test_a_segment_s_value_may_hold_an_equals_sign(tables: Tables) -> None:
    key = SeriesKey("assistant", "tier=a=b", "contains", "v1")
    assert worst(tables, key, [row("s", 0.0, segments=segment("a=b"))]) == ["s"]


def test_of_all_other_models_together_only_those_without_a_series_of_their_own_count(
    tables: Tables,
) -> None:
    key = SeriesKey(OTHER, ALL_SEGMENTS, "contains", "v1")
    rows = [row("known", 0.0), row("a", 0.2, model="x"), row("b", 0.1, model="y")]
    assert worst(tables, key, rows) == ["b", "a"]


def test_no_scores_are_no_evidence(tables: Tables) -> None:
    assert worst(tables, KEY, []) == []
    assert worst(tables, SeriesKey("a", "tier=pro", "c", "v", "b"), []) == []
