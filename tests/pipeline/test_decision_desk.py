"""From a person's word to what the stateful step is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_eval.alerting import Baseline, Decision, Resolution, Why
from streaming_eval.errors import DecisionError
from streaming_eval.pipeline.decision_desk import Signature, acknowledge, promote
from streaming_eval.pipeline.decision_stream import decision_rows
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.stored_baseline import baselines_table, stored_baseline
from tests.pipeline.arriving import arrivals_in
from tests.pipeline.deciding import Root
from tests.pipeline.fleet import PANE_MS, key, plan

MIRA = Signature("mira", "the new model is the standard", 1_700_000_000_123)
KEY = key("contains")
PLAN = plan()
FROZEN = Baseline((10, 190), 0, 60 * PANE_MS, id="b1")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = Root(tmp_path)
    root.scored(7, [1.0, 0.0])
    stored = stored_baseline(PLAN, KEY, FROZEN, source="scores")
    root.tables.append_untracked("baselines", baselines_table([stored], None, 0))
    return root


def streamed(root: Root) -> list[tuple[str, Decision]]:
    """What the monitor reads of the table of decisions."""
    batches = decision_rows(root.tables.read("decisions").to_batches())
    arrived = arrivals_in(batches)
    assert all((arrival.cells, arrival.counts) == ((), ()) for arrival in arrived)
    return [(a.series_key, a.decision) for a in arrived if a.decision is not None]


def test_a_promotion_reaches_the_monitor_with_all_that_it_needs(root: Root) -> None:
    row = promote(root.tables, PLAN, "b1", MIRA)
    assert row["series_key"] == str(KEY)
    assert streamed(root) == [
        (
            str(KEY),
            Decision(
                made_ms=MIRA.now_ms,
                known_until_ms=7 * PANE_MS + 2,
                by="mira",
                reason=MIRA.reason,
                baseline=FROZEN,
            ),
        )
    ]


def test_an_acknowledgement_names_the_alarm_by_its_pane(root: Root) -> None:
    alert = root.opened(KEY, pane=5)
    assert acknowledge(root.tables, alert, MIRA)["series_key"] == str(KEY)
    ((_, decision),) = streamed(root)
    assert (decision.alarm_opened_ms, decision.baseline) == (5 * PANE_MS, None)


def test_what_is_not_there_cannot_be_decided_about(root: Root) -> None:
    with pytest.raises(DecisionError, match="no baseline b2"):
        promote(root.tables, PLAN, "b2", MIRA)
    with pytest.raises(DecisionError, match="no alert a1"):
        acknowledge(root.tables, "a1", MIRA)
    assert streamed(root) == []


def test_a_resolved_alert_is_not_acknowledged(root: Root) -> None:
    alert = root.opened(KEY, pane=5)
    root.resolved(KEY, 5, Resolution(Why.RECOVERED, 9 * PANE_MS))
    with pytest.raises(DecisionError, match="not open any more"):
        acknowledge(root.tables, alert, MIRA)


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        (plan(scorers=[{"kind": "token_f1"}]), "not part of this configuration"),
        (plan(monitor={"pane": "7m", "window": "7m"}), None),
    ],
)
def test_only_what_the_configuration_still_compares_is_promoted(
    root: Root, now: MonitorPlan, problem: str | None
) -> None:
    if problem is None:
        promote(root.tables, now, "b1", MIRA)
        return
    with pytest.raises(DecisionError, match=problem):
        promote(root.tables, now, "b1", MIRA)


def test_a_baseline_of_hours_needs_panes_that_divide_one(root: Root) -> None:
    hourly = Baseline((1, 2) * 24, 0, PANE_MS, id="hourly")
    stored = stored_baseline(PLAN, KEY, hourly, source="scores")
    root.tables.append_untracked("baselines", baselines_table([stored], None, 0))
    promote(root.tables, PLAN, "hourly", MIRA)
    with pytest.raises(DecisionError, match="create it anew"):
        promote(root.tables, plan(monitor={"pane": "7m", "window": "7m"}), "hourly", MIRA)


def test_before_any_score_all_scores_count(tmp_path: Path) -> None:
    root = Root(tmp_path)
    stored = stored_baseline(PLAN, KEY, FROZEN, source="scores")
    root.tables.append_untracked("baselines", baselines_table([stored], None, 0))
    promote(root.tables, PLAN, "b1", MIRA)
    ((_, decision),) = streamed(root)
    assert decision.known_until_ms == 0


def test_a_sample_from_the_future_does_not_put_the_beginning_off(root: Root) -> None:
    root.scored(10**9, [1.0])
    promote(root.tables, PLAN, "b1", MIRA)
    ((_, decision),) = streamed(root)
    assert decision.known_until_ms == MIRA.now_ms


def test_no_decisions_are_no_rows() -> None:
    assert list(decision_rows([])) == []
