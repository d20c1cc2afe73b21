"""The verbs for experiments as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streaming_eval.cli import app
from tests.results.test_comparing import MINIMAL, Root

FUTURE_MS = 10**13


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def verb(root: Root, *arguments: str) -> Result:
    options = ["--config", str(MINIMAL), "--set", f"storage.root={root.path}"]
    command = ["experiment", *arguments, *options]
    return CliRunner().invoke(app, command, env={"COLUMNS": "200"})


def much_worse(root: Root, at_ms: int, samples: int = 200) -> None:
    root.commit(
        *(
            root.scored(f"{at_ms}-{i}", float(i % 5 > 0), 1.0, at_ms=at_ms + i)
            for i in range(samples)
        )
    )


def test_an_experiment_is_opened_closed_and_listed(root: Root) -> None:
    much_worse(root, at_ms=0)
    result = verb(root, "open", "prompt-7", "new", "old-model", "--alpha", "0.1")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("1  prompt-7  open  new worse than old-model  3.13  20")
    too_early = verb(root, "close", "prompt-7")
    assert too_early.exit_code == 1
    assert "no sample has scores of both" in too_early.stderr, "those before it do not count"
    much_worse(root, FUTURE_MS)
    tried = verb(root, "close", "prompt-7", "--dry-run")
    assert (tried.exit_code, root.tables.read("experiments").num_rows) == (1, 1)
    done = verb(root, "close", "prompt-7")
    assert done.exit_code == 1
    assert "1  prompt-7  found  new worse than old-model  200  " in done.stdout
    assert verb(root, "close", "prompt-7").stdout == done.stdout == verb(root, "list").stdout
    row = root.tables.read("experiments", filters=[("status", "=", "closed")]).to_pylist()[0]
    assert (row["pairs"], row["found"], row["scorers"]) == (200, True, ["contains"])


def test_a_candidate_that_is_better_passes_a_claim_of_that(root: Root) -> None:
    verb(root, "open", "up", "old-model", "new", "--claim", "better", "--scorer", "contains")
    much_worse(root, FUTURE_MS)
    result = verb(root, "close", "up")
    assert result.exit_code == 0, result.output
    (listed,) = json.loads(verb(root, "list", "-o", "json").stdout)
    assert (listed["found"], listed["claim"], listed["scorer"]) == (True, "better", "contains")
    assert listed["log_evidence"] >= listed["log_needed"]


def test_an_open_one_shows_what_it_would_need_now(root: Root) -> None:
    much_worse(root, at_ms=0)
    verb(root, "open", "a", "new", "old-model")
    verb(root, "open", "b", "new", "old-model", "--segment", "tier=pro")
    listed = json.loads(verb(root, "list", "-o", "json").stdout)
    assert [each["place"] for each in listed] == [1, 2]
    assert listed[0]["log_needed"] < listed[1]["log_needed"]
    assert (listed[1]["segment"], listed[1]["closed_at"]) == ("tier=pro", None)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("close", "nobody"), 1, "there is no experiment nobody"),
        (("open", "a", "new", "old-model", "--segment", "tier"), 2, "NAME=VALUE"),
        (("open", "a", "new", "old-model", "--alpha", "2"), 2, "lies in (0, 1)"),
        (("open", "a", "new", "old-model", "--claim", "nicer"), 2, "nicer"),
    ],
)
def test_what_cannot_be_is_said_without_a_traceback(
    root: Root, arguments: Sequence[str], code: int, said: str
) -> None:
    much_worse(root, at_ms=0, samples=2)
    result = verb(root, *arguments)
    assert result.exit_code == code
    assert said in result.stderr


def test_without_a_job_there_is_no_stream(tmp_path: Path) -> None:
    options = ["--config", str(MINIMAL), "--set", f"storage.root={tmp_path}"]
    result = CliRunner().invoke(app, ["experiment", "list", *options])
    assert result.exit_code == 1
    assert "no job has run" in result.stderr
    assert not any(tmp_path.iterdir())
