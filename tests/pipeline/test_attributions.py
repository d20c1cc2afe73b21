"""Whether an alarm on judged scores is put down to the system or the judge, end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streaming_eval.adapters.exposition import render
from streaming_eval.alerting import Decision
from streaming_eval.pipeline.attributions import OpenAlerts
from streaming_eval.pipeline.board import Board
from streaming_eval.pipeline.frozen_baselines import Chosen
from streaming_eval.pipeline.ledger_views import alerts
from streaming_eval.snapshot import Promises
from tests.pipeline.anchored import judged
from tests.pipeline.fleet import PANE_MS
from tests.pipeline.judging import AGREES, DIFFERS, GOOD, POOR, TRAFFIC, Judging

GUARD = 1_000
BEFORE = 10  # panes until both baselines are there and some more


def watching(path: Path, seed: int = 1, **anchors: object) -> Judging:
    monitor = {
        "pane": "1m", "window": "5m", "allowed_lateness": "1m", "drift": {"watch": False},
        "baseline": {"kind": "pinned", "samples": 1_000}, "smallest_effect": 0.02,
    }  # fmt: skip
    fleet = judged(path, anchors={"guard": GUARD, **anchors}, monitor=monitor)
    return Judging(path, fleet, seed)


def verdicts(rows: list[dict[str, Any]]) -> list[tuple[int, str, str | None]]:
    return [(row["revision"], row["status"], row["culprit"]) for row in rows]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_system_that_gets_worse_is_told_from_a_judge_that_turns_stricter(
    tmp_path: Path, seed: int
) -> None:
    for name, agreement, culprit in (("s", AGREES, "system"), ("j", DIFFERS, "judge")):
        (tmp_path / name).mkdir()
        run = watching(tmp_path / name, seed)
        run.panes(BEFORE)
        assert run.alerts(run.scores) == run.alerts(run.agreement) == []
        run.panes(10, POOR, agreement)
        assert run.alerts(run.scores)[-1]["culprit"] == culprit
        assert bool(run.alerts(run.agreement)) == (culprit == "judge")


def test_the_verdict_on_the_system_comes_when_the_guard_is_over_and_is_one_revision(
    tmp_path: Path,
) -> None:
    run = watching(tmp_path)
    run.panes(BEFORE)
    run.panes(12, POOR)
    opened, decided = run.alerts(run.scores)
    assert verdicts([opened, decided]) == [(0, "opened", "undecided"), (1, "attributed", "system")]
    waited = (decided["batch_id"] - opened["batch_id"]) * TRAFFIC
    assert GUARD <= waited < GUARD + TRAFFIC
    changed = {"revision", "status", "culprit", "attributed_at", "batch_id", "sample_ids"}
    assert {name for name in opened if opened[name] != decided[name]} <= changed
    assert opened["attributed_at"] is None
    assert decided["attributed_at"] >= opened["opened_at"]


def test_the_verdict_on_the_judge_does_not_wait_for_the_guard(tmp_path: Path) -> None:
    run = watching(tmp_path, guard=10**6)
    run.panes(BEFORE)
    run.panes(10, POOR, DIFFERS)
    first = run.alerts(run.agreement)[0]
    last = run.alerts(run.scores)[-1]
    assert last["culprit"] == "judge"
    assert last["batch_id"] == max(first["batch_id"], run.alerts(run.scores)[0]["batch_id"])
    # The agreement's own alert is about the judge already, and needs no verdict.
    assert {row["culprit"] for row in run.alerts(run.agreement)} == {None}


def test_an_alarm_that_opens_while_the_judge_is_known_to_have_changed_says_so_at_once(
    tmp_path: Path,
) -> None:
    run = watching(tmp_path)
    run.panes(BEFORE)
    run.panes(8, GOOD, DIFFERS)
    assert run.alerts(run.agreement)
    run.panes(6, POOR, DIFFERS)
    (opened,) = run.alerts(run.scores)
    assert verdicts([opened]) == [(0, "opened", "judge")]
    assert opened["attributed_at"] == opened["opened_at"]


def test_kills_and_repeated_batches_change_no_verdict(tmp_path: Path) -> None:
    rows = []
    for name, killed in (("whole", False), ("killed", True)):
        (tmp_path / name).mkdir()
        run = watching(tmp_path / name)
        run.panes(BEFORE)
        run.panes(12, POOR, killed=killed)
        rows.append(run.alerts(run.scores))
        decided = [batch.alerts.culprits() for batch in run.shown]
        assert [c.culprit for c in decided[-1]] == ["system"]
    clock = ("opened_at", "attributed_at")
    for one, other in zip(*rows, strict=True):
        assert {k: v for k, v in one.items() if k not in clock} == {
            k: v for k, v in other.items() if k not in clock
        }


def test_without_a_baseline_of_the_agreement_there_is_no_verdict(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.panes(5)  # 1,500 scores, and 750 of anchors
    run.panes(20, POOR)
    assert {row["culprit"] for row in run.alerts(run.scores)} == {None}


def test_an_alert_that_ends_keeps_its_verdict_and_the_next_one_begins_undecided(
    tmp_path: Path,
) -> None:
    run = watching(tmp_path)
    run.panes(BEFORE)
    run.panes(12, POOR)
    opened_ms = run.shown[-1].reports[0].alarm
    assert opened_ms is not None
    now_ms = (BEFORE + 12) * PANE_MS
    seen = Decision(1, now_ms, "mira", "rolled back", alarm_opened_ms=opened_ms.opened_ms)
    run.pane(POOR, AGREES, {run.scores: seen})
    *_, ended = run.alerts(run.scores)
    assert verdicts([ended]) == [(2, "resolved", "system")]
    assert run.shown[-1].alerts.rows == {}
    run.panes(6, POOR)
    assert run.alerts(run.scores)[3]["culprit"] == "undecided"
    (first, second) = alerts(run.tables, Chosen(), only_open=False)
    assert (first.culprit, bool(first.resolved)) == ("system", True)
    assert (second.culprit, second.resolved) == (run.alerts(run.scores)[-1]["culprit"], None)


def test_the_verdict_is_shown_until_the_alert_ends_also_after_a_restart(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.panes(BEFORE)
    run.panes(12, POOR)
    board = Board(Promises(0.05, 3_600.0, frozenset({"helpful"})), 10**12)
    board.restore(run.tables, run.shown[-1].now_ms)
    snapshot = board.snapshot(run.shown[-1].now_ms)
    (said,) = snapshot.culprits
    assert (said.key, said.kind, said.culprit) == (run.scores, "regression", "system")
    lines = [
        line for line in render(snapshot).decode().splitlines()
        if line.startswith("streaming_eval_alert_culprit{")
    ]  # fmt: skip
    series = 'model="assistant",segment="__all__",scorer="helpful",kind="regression"'
    assert lines == [
        f'streaming_eval_alert_culprit{{{series},culprit="{name}"}} {value}'
        for name, value in (("undecided", "0.0"), ("system", "1.0"), ("judge", "0.0"))
    ]
    board.attribute(OpenAlerts().culprits())
    assert board.snapshot(run.shown[-1].now_ms).culprits == ()
