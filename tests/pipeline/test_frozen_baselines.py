"""Baselines from the scores of a period."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from streaming_eval.errors import StorageError
from streaming_eval.pipeline.frozen_baselines import (
    Chosen,
    Period,
    frozen_baselines,
    scores_in,
    scores_of,
)
from streaming_eval.pipeline.ledger_views import baselines
from streaming_eval.pipeline.segment_mix import Mix
from streaming_eval.pipeline.stored_baseline import StoredBaseline, baselines_table
from streaming_eval.records import ALL_SEGMENTS, SEGMENT_MIX, SeriesKey
from tests.pipeline.deciding import Root
from tests.pipeline.fleet import PANE_MS, key, plan

PLAN = plan()
HOUR = 60  # panes
ANY = Chosen()
PERIOD = Period(10 * PANE_MS, 20 * PANE_MS)


def made(
    root: Root, chosen: Chosen = ANY, period: Period = PERIOD, seasonal: bool | None = None
) -> list[StoredBaseline]:
    scores = scores_of(root.tables, period)
    return frozen_baselines(scores, PLAN, chosen, period, seasonal=seasonal, source="scores")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = Root(tmp_path)
    root.scored(5, [0.0] * 50)
    root.scored(10, [1.0] * 30 + [0.0] * 10 + [None] * 7)
    root.scored(19, [1.0] * 5, segments=[("tier", "pro")])
    root.scored(19, [0.0] * 3, model="small")
    root.scored(20, [0.0] * 50)
    return root


def test_the_scores_of_the_period_are_counted_for_each_series_that_has_some(root: Root) -> None:
    found = {one.key: one for one in made(root)}
    assert found[key()].baseline.counts == (10, 35)
    assert found[key(segment="tier=pro")].baseline.counts == (0, 5)
    assert found[key(model="small")].baseline.counts == (3, 0)
    mix = Mix.of(("pro", "free"))
    tiers = found[SeriesKey("assistant", "tier", SEGMENT_MIX, mix.version)]
    assert tiers.baseline.counts == (5, 0, 0, 47), "samples, whether they have a score or not"
    assert len(found) == 4
    everything = found[key()]
    assert everything.mean == 35 / 45
    assert everything.lower_bound is not None
    assert everything.lower_bound < everything.mean
    assert (everything.baseline.begin_ms, everything.baseline.end_ms) == (600_000, 1_200_000)


@pytest.mark.parametrize(
    ("chosen", "n"),
    [
        (Chosen(model="small"), 1),
        (Chosen(segment=ALL_SEGMENTS), 2),
        (Chosen(scorer="judge"), 0),
        (Chosen(against=""), 4),
        (Chosen(scorer=SEGMENT_MIX), 1),
        (Chosen(model="assistant", segment="tier=pro"), 1),
    ],
)
def test_only_the_chosen_series_get_one(root: Root, chosen: Chosen, n: int) -> None:
    assert len(made(root, chosen)) == n


def test_hours_are_kept_apart_where_asked(root: Root) -> None:
    root.scored(HOUR + 3, [1.0, 0.0, 0.0])
    period = Period(0, 25 * HOUR * PANE_MS)
    (one,) = made(root, Chosen("assistant", ALL_SEGMENTS), period, seasonal=True)
    assert one.seasonal
    assert one.lower_bound is None
    assert one.baseline.season(0, 2) == (110, 35)
    assert one.baseline.season(HOUR * PANE_MS, 2) == (2, 1)
    (flat,) = made(root, Chosen("assistant", ALL_SEGMENTS), period)
    assert flat.baseline.counts == (112, 36)


def test_the_same_scores_give_the_same_id_and_others_another(root: Root) -> None:
    first, again = (made(root, Chosen("small"))[0].baseline_id for _ in range(2))
    assert first == again
    longer = made(root, Chosen("small"), Period(0, PERIOD.to_ms))[0].baseline_id
    assert longer != first


def test_another_table_serves_as_well(root: Root, tmp_path: Path) -> None:
    whole = root.tables.read("scores")
    old = whole.drop_columns(["weight", "cluster", "first_of_cluster", "batch_id"])
    write_deltalake(tmp_path / "old", old)
    scores = scores_in(tmp_path / "old", PERIOD)
    found = frozen_baselines(scores, PLAN, Chosen("small"), PERIOD, seasonal=None, source="old")
    assert [one.baseline.counts for one in found] == [(3, 0)]
    assert found[0].baseline_id != made(root, Chosen("small"))[0].baseline_id


def test_a_table_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere is not a readable Delta table"):
        scores_in(tmp_path / "nowhere", PERIOD)
    write_deltalake(tmp_path / "other", pa.table({"model": ["a"], "scorer": ["b"]}))
    with pytest.raises(StorageError, match="lacks columns of `scores`: sample_id, evaluation"):
        scores_in(tmp_path / "other", PERIOD)


def test_the_list_tells_which_is_in_force_and_what_is_missing(root: Root) -> None:
    (one,) = made(root, Chosen("small"))
    (first,) = made(root, Chosen("assistant", ALL_SEGMENTS))
    tables = root.tables
    tables.append_untracked("baselines", baselines_table([one, first], None, 1_000))
    created = baselines(tables, PLAN, Chosen())
    assert [view.in_force for view in created] == [False, False]
    assert {view.row["baseline_id"]: view.missing for view in created} == {
        one.baseline_id: 97,
        first.baseline_id: 55,
    }
    for version, stored in ((1, one), (2, one)):
        _in_force(root, stored, version)
    views = {view.row["baseline_id"]: view for view in baselines(tables, PLAN, Chosen())}
    assert views[one.baseline_id].in_force
    assert views[one.baseline_id].row["version"] == 2
    assert not views[first.baseline_id].in_force
    elsewhere = plan(scorers=[{"kind": "token_f1"}])
    assert {view.missing for view in baselines(tables, elsewhere, Chosen())} == {None}


def _in_force(root: Root, stored: StoredBaseline, version: int) -> None:
    baseline = replace(stored.baseline, version=version, by="mira", reason="accepted")
    table = baselines_table([replace(stored, baseline=baseline)], 7, 2_000 + version)
    root.tables.append_untracked("baselines", table)
