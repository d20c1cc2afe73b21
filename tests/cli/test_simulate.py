"""The verb `simulate` as a user meets it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from streaming_eval.cli import app

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "streaming-eval.yaml"
SMALL = ("--weeks", "1", "--streams", "5", "--pane", "1h")


def simulate(*options: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *options], env={"COLUMNS": "200"})


def answer(*options: str) -> Any:  # noqa: ANN401 - parsed JSON
    done = simulate(*options, "--output", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_it_says_delay_false_pages_width_and_when_a_verdict_is_due() -> None:
    done = simulate(*SMALL, "--series", "20", "--drop", "0.2")
    assert done.exit_code == 0, done.output
    for words in (
        "pass-rate, 0 to 1, mean 0.9",
        "one false alarm per 1w, shared by 20",
        "drop  of 0.2  found 100% within a day",
        "at most 4.3 on average; simulated 0 (0 of 5 series in 1 weeks each)",
        "after 24 h (24,000 scores)",
        "no longer insufficient  after",
    ):
        assert words in done.stdout


def test_grades_are_spoken_of_on_their_own_scale() -> None:
    graded = ("--kind", "grades", "--shares", ".1,.2,.7", "--drop", "0.4")
    found = answer(*SMALL, *graded)
    assert found["question"]["kind"] == "grades, 1 to 3, mean 2.6"
    assert found["question"]["smallest effect"] == "0.04"
    (drop,) = found["forecast"]["detections"]
    assert drop["drop"] == 0.2


def test_a_configuration_gives_series_clock_budget_and_scale() -> None:
    found = answer("--config", str(EXAMPLE), "--scorer", "helpful", *SMALL[:4])
    assert found["question"] == {
        "kind": "helpful, 1 to 3, mean 2.8",
        "volume": "1,000 an hour in each series",
        "budget": "one false alarm per 4w, shared by 191",
        "clock": "panes of 1m",
        "smallest effect": "0.04",
    }


def test_options_win_over_the_configuration() -> None:
    changed = ("--once-per", "1d", "--baseline-samples", "200", "--smallest-effect", "0.1")
    found = answer("--config", str(EXAMPLE), *SMALL, *changed)
    assert found["question"]["budget"] == "one false alarm per 1d, shared by 191"
    assert found["question"]["clock"] == "panes of 1h"
    assert found["question"]["smallest effect"] == "0.1"
    assert found["forecast"]["baseline_hours"] == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pane", "5"], "--pane: a duration such as 30s"),
        (["--baseline-samples", "5"], "--baseline-samples: Input should be greater"),
        (["--once-per", "1s"], "a budget needs at least one pane"),
        (["--drop", "2"], "a drop must lie above 0"),
        (["--mean", "1.5"], "--mean must lie in [0, 1], got 1.5"),
        (["--mean", "0.5", "--shares", "1,1"], "leave out --mean"),
        (["--shares", "a,b"], "is not a list such as"),
        (["--kind", "grades", "--shares", "1,2"], "--shares needs 3 numbers"),
        (["--kind", "grades", "--low", "3", "--high", "1"], "low must be less than high"),
        (["--scorer", "contains"], "--config, which is not given"),
        (["--config", str(EXAMPLE), "--scorer", "nope"], "contains, token_f1, helpful"),
        (["--config", str(EXAMPLE), "--series", "3"], "come from the configuration"),
        (["--smallest-effect", "-1"], "smallest_effect lies in"),
        (["--config", "nothing.yaml"], "nothing.yaml: cannot be read"),
        (["--weeks", "100", "--pane", "1s"], "fewer weeks or streams, or longer panes"),
    ],
)
def test_a_wrong_question_is_a_usage_error_that_says_why(options: list[str], message: str) -> None:
    done = simulate(*options)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.output
