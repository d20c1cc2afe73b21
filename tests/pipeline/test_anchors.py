"""A judge that is held against people, from the configuration to the series that watches it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_eval.adapters.schemas import EVALUATION_VERSIONS
from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import SettingsError
from streaming_eval.pipeline.evaluation_versions import record_versions
from streaming_eval.pipeline.plan import evaluation_plan, monitor_plan
from streaming_eval.pipeline.preaggregate import pane_counts
from streaming_eval.pipeline.series_counts import alarmed_series, series_limit
from streaming_eval.records import ALL_SEGMENTS, JUDGE, OTHER, SEGMENT_MIX, SeriesKey
from streaming_eval.settings import Settings
from tests.pipeline.anchored import LABEL, anchors_file, judged, unheld
from tests.pipeline.scored import Scored, batch


def versions(fleet: Settings) -> dict[str, str]:
    return dict(monitor_plan(fleet).layout.scales.keys())


def test_anchors_begin_no_new_series_of_the_judge_but_other_anchors_one_of_their_own(
    tmp_path: Path,
) -> None:
    fleet = judged(tmp_path)
    before = versions(fleet)
    assert before["helpful"] == versions(unheld(fleet))["helpful"]
    assert versions(judged(tmp_path, anchors={"share": 0.9, "guard": 7})) == before
    others = (judged(tmp_path, anchors={"tolerance": 1}), judged(tmp_path, grades=(1, 2, 1)))
    found = {versions(other)[LABEL] for other in others}
    # Files are read when the plan is made, so the second fleet changed the first one's, too.
    assert before[LABEL] not in found
    assert {versions(other)["helpful"] for other in others} == {before["helpful"]}


def test_a_judge_with_anchors_has_one_series_more_and_it_shares_the_budget(tmp_path: Path) -> None:
    fleet = judged(tmp_path)
    monitor, without = monitor_plan(fleet), unheld(fleet)
    assert series_limit(fleet) == series_limit(without) + 1
    assert alarmed_series(fleet) == alarmed_series(without) + 1
    key = SeriesKey(JUDGE, ALL_SEGMENTS, LABEL, versions(fleet)[LABEL])
    assert monitor.watches(key)
    watched = monitor.series(key)
    assert (watched.alarm, watched.drift, watched.baseline_samples) == (True, None, 100)
    of_scores = monitor.series(replace(key, model="assistant", scorer="helpful"))
    assert watched.log_threshold == of_scores.log_threshold
    ((judge, held),) = monitor.judges.items()
    assert judge == ("helpful", versions(fleet)["helpful"])
    assert (held.agreement, held.guard) == (key, 1_000)


def test_a_baseline_that_is_made_for_the_traffic_says_nothing_of_anchors(tmp_path: Path) -> None:
    fleet = judged(tmp_path, monitor={"baseline": {"kind": "constant", "value": 2.5}})
    own = monitor_plan(fleet).own[LABEL]
    assert (own.baseline_constant, own.baseline_samples) == (None, 5_000)


def test_only_the_judge_itself_has_the_series_whatever_samples_call_their_models(
    tmp_path: Path,
) -> None:
    fleet = judged(tmp_path)
    monitor, version = monitor_plan(fleet), versions(fleet)
    rows = [
        Scored(JUDGE, LABEL, version[LABEL]),
        Scored("assistant", LABEL, version[LABEL]),
        Scored(JUDGE, "helpful", version["helpful"], segments={"tier": "pro"}),
    ]
    (counted,) = pane_counts([batch(rows)], monitor.layout)
    keys = {SeriesKey.parse(text) for text in counted["series_key"].to_pylist()}
    scored = (key for key in keys if key.scorer != SEGMENT_MIX)
    assert {(key.model, key.segment, key.scorer) for key in scored} == {
        (JUDGE, ALL_SEGMENTS, LABEL),
        (OTHER, ALL_SEGMENTS, "helpful"),
        (OTHER, "tier=pro", "helpful"),
    }


def test_which_anchors_there_were_is_on_record(tmp_path: Path) -> None:
    tables = Tables(tmp_path / "root")
    plan = evaluation_plan(judged(tmp_path))
    (version,) = record_versions(tables, plan.anchored)
    assert record_versions(tables, plan.anchored) == []
    (row,) = tables.read("evaluation_versions").to_pylist()
    assert row.keys() == set(EVALUATION_VERSIONS.names)
    said = json.loads(row["definition"])["scorer"]["parameters"]
    assert (row["evaluation_version"], said["tolerance"]) == (version, 0)
    assert said["judge"] == plan.scorers[0].evaluation_version
    assert len(said["anchors"]) == 64


def test_a_file_that_cannot_be_read_or_is_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    fleet = judged(tmp_path)
    path = anchors_file(tmp_path, (1, 4))
    said = f"anchors of helpful: {path}: line 2: field `grade`: got 4; allowed: "
    with pytest.raises(SettingsError, match=said):
        evaluation_plan(fleet)
    path.unlink()
    with pytest.raises(SettingsError, match=r"cannot be read \(No such file"):
        monitor_plan(fleet)


def test_anchors_that_cannot_disagree_and_names_that_clash_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"anchors.tolerance.*got 2.*so that all grades agree"):
        judged(tmp_path, anchors={"tolerance": 2})
    listed = judged(tmp_path).model_dump(mode="json", exclude_none=True)["scorers"]
    with pytest.raises(ValueError, match="'helpful:anchors' is the name of two scorers"):
        judged(tmp_path, scorers=[*listed, {"kind": "contains", "name": LABEL}])
