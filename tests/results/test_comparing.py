"""Two models compared from the tables that a job leaves behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from streaming_eval.adapters.schemas import EVALUATION_VERSIONS
from streaming_eval.adapters.score_pairs import Pairs, Wanted, read_pairs
from streaming_eval.adapters.tables import Tables
from streaming_eval.cli import app
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.results.comparing import Verdict, compare_models
from streaming_eval.scoring import define, definition_json
from streaming_eval.scoring.cost import Priced
from tests.pipeline.scored import score_row, score_table

MINIMAL = Path(__file__).parents[1] / "configurations" / "minimal.yaml"
DEFINITIONS = {
    "v1": define("contains", "contains"),
    "old": define("contains", "contains"),
    "f1": define("token_f1", "token_f1"),
    "ms": define("latency_ms", "latency_ms", cap_ms=60_000),
    "log": define("latency_ms", "latency_ms", cap_ms=60_000, logarithmic=True),
    "chars": define("response_chars", "response_chars"),
    "cost": define("cost", "cost", priced=Priced(1.0, "EUR", {"m": (1.0, 2.0)})),
}
CANDIDATE_AGAINST_OTHER = Wanted("new", ("old-model",))


class Root:
    """A storage root with scores of two models, one commit after the other."""

    def __init__(self, root: Path) -> None:
        self.path = root
        self.tables = Tables(root)
        rows = [
            {"evaluation_version": version, "scorer": d.name, "definition": definition_json(d)}
            for version, d in DEFINITIONS.items()
        ]
        table = pa.Table.from_pylist(
            [row | {"created_at": instant(0)} for row in rows], EVALUATION_VERSIONS
        )
        self.tables.append_untracked("evaluation_versions", table)
        self._seconds = 0

    def scored(
        self,
        sample_id: str,
        new: float | None,
        old: float | None,
        version: str = "v1",
        **columns: object,
    ) -> list[dict[str, object]]:
        """Rows of both models for one sample; None for a model that did not answer."""
        self._seconds += 1
        shared = {
            "scorer": DEFINITIONS[version].name,
            "evaluation_version": version,
            "scored_at": instant(self._seconds * 1_000),
            **columns,
        }
        values = {"new": new, "old-model": old}
        return [
            score_row(sample_id, value, model=model, **shared)
            for model, value in values.items()
            if value is not None
        ]

    def commit(self, *rows: Sequence[dict[str, object]]) -> None:
        self.tables.append_untracked("scores", score_table([r for some in rows for r in some]))

    def pairs(self, wanted: Wanted = CANDIDATE_AGAINST_OTHER) -> list[Pairs]:
        return read_pairs(self.path, wanted)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def verb(root: Root, *arguments: str) -> Result:
    place = f"storage.root={root.path}"
    command = ["compare", "new", "old-model", *arguments, "--config", str(MINIMAL)]
    return CliRunner().invoke(app, [*command, "--set", place], env={"COLUMNS": "200"})


def much_worse(root: Root, samples: int = 200) -> None:
    """Pass/fail scores of which the candidate loses every fifth and wins none."""
    root.commit(*(root.scored(f"s{i}", float(i % 5 > 0), 1.0) for i in range(samples)))


def test_only_samples_with_scores_of_both_make_a_pair(root: Root) -> None:
    root.commit(root.scored("a", 1.0, 0.0), root.scored("b", 1.0, None), root.scored("c", None, 1))
    [found] = root.pairs()
    assert (found.sample_ids, found.differences.tolist()) == (("a",), [1.0])


def test_pairs_keep_the_order_in_which_they_were_scored(root: Root) -> None:
    root.commit(root.scored("z", 0.0, 1.0), root.scored("m", 1.0, 1.0))
    root.commit(root.scored("a", 1.0, 0.0))
    [found] = root.pairs()
    assert (found.sample_ids, found.differences.tolist()) == (("z", "m", "a"), [-1.0, 0.0, 1.0])


def test_a_sample_that_came_again_counts_once_with_its_first_scores(root: Root) -> None:
    root.commit(root.scored("a", 0.0, 1.0))
    root.commit(root.scored("a", 1.0, 1.0))
    [found] = root.pairs()
    assert found.differences.tolist() == [-1.0]


def test_a_cluster_of_samples_counts_once(root: Root) -> None:
    root.commit(
        root.scored("a", 0.0, 1.0, cluster=7),
        root.scored("b", 1.0, 1.0, cluster=7),
        root.scored("c", 1.0, 0.0, cluster=8),
        root.scored("d", 1.0, 0.0),
        root.scored("e", 1.0, 0.0),
    )
    assert root.pairs()[0].sample_ids == ("a", "c", "d", "e")


def test_versions_are_never_mixed(root: Root) -> None:
    root.commit(
        root.scored("a", 0.0, 1.0, version="old"),
        root.scored("a", 1.0, 1.0, version="v1"),
        [*root.scored("b", 1.0, None, version="old"), *root.scored("b", None, 0.0, version="v1")],
    )
    found = {pairs.evaluation_version: pairs.differences.tolist() for pairs in root.pairs()}
    assert found == {"old": [-1.0], "v1": [0.0]}


def test_scores_that_failed_make_no_pair(root: Root) -> None:
    root.commit(root.scored("a", 0.0, 1.0, status="failed"), root.scored("b", 0.0, 1.0))
    assert root.pairs()[0].sample_ids == ("b",)


def test_segment_scorer_and_time_choose_the_pairs(root: Root) -> None:
    pro: dict[str, Any] = {"segments": [("tier", "pro")]}
    root.commit(
        root.scored("a", 0.0, 1.0, **pro),
        root.scored("b", 0.0, 1.0, at_ms=60_000),
        root.scored("a", 0.5, 0.25, version="f1", at_ms=60_000, **pro),
    )
    in_pro = root.pairs(Wanted("new", ("old-model",), segment=("tier", "pro")))
    assert [(p.scorer, p.sample_ids) for p in in_pro] == [
        ("contains", ("a",)),
        ("token_f1", ("a",)),
    ]
    late = root.pairs(Wanted("new", ("old-model",), since_ms=60_000))
    assert [(p.scorer, p.sample_ids) for p in late] == [("contains", ("b",)), ("token_f1", ("a",))]
    assert [p.scorer for p in root.pairs(Wanted("new", ("old-model",), scorer="token_f1"))] == [
        "token_f1"
    ]


def test_a_candidate_that_is_worse_is_a_finding(root: Root) -> None:
    much_worse(root)
    result = verb(root)
    assert result.exit_code == 1, result.output
    assert "worse  contains  200  -0.2 (mean difference)  -0.2" in result.stdout
    anytime, _, once = result.stdout.partition("\nOnce: ")
    assert "right however often" in anytime
    assert "exact McNemar" in once
    assert "McNemar" not in anytime


def test_a_candidate_that_is_not_worse_is_fine(root: Root) -> None:
    root.commit(*(root.scored(f"s{i}", float(i % 2), float(i % 2)) for i in range(50)))
    result = verb(root)
    assert (result.exit_code, result.stdout.count("undecided  contains  50")) == (0, 1)


def test_turned_round_it_is_better(root: Root) -> None:
    much_worse(root)
    place = f"storage.root={root.path}"
    command = ["compare", "old-model", "new", "--config", str(MINIMAL), "--set", place]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    assert "better  contains  200  +0.2" in result.stdout


def test_programs_get_numbers_and_no_infinity(root: Root) -> None:
    much_worse(root)
    root.commit(root.scored("a", 90.0, 40.0, version="ms"))
    found = json.loads(
        verb(root, "--output", "json").stdout, parse_constant=lambda name: pytest.fail(name)
    )
    contains, latency = found["scorers"]
    assert (contains["verdict"], contains["pairs"], contains["kind"]) == ("worse", 200, "pass_fail")
    assert contains["any_time"]["valid"] != contains["one_look"]["valid"]
    assert contains["any_time"]["interval"]["upper"] < 0.0
    assert contains["any_time"]["worse"]["p_all_scorers"] >= contains["any_time"]["worse"]["p"]
    assert (latency["kind"], latency["any_time"]["effect"]) == ("unbounded", 50.0)
    assert latency["any_time"]["interval"] == {"lower": None, "upper": None}


def test_slower_is_worse_and_above_zero(root: Root) -> None:
    slow = np.random.default_rng(0).exponential(500.0, 400)
    root.commit(*(root.scored(f"s{i}", 900.0 + s, 500.0, version="ms") for i, s in enumerate(slow)))
    [found] = json.loads(verb(root, "--output", "json").stdout)["scorers"]
    assert found["verdict"] == "worse"
    assert found["any_time"]["interval"]["lower"] > 0.0
    assert found["one_look"]["effect_size"] == -1.0


def test_longer_is_neither_better_nor_worse_but_longer(root: Root) -> None:
    extra = np.random.default_rng(0).integers(20, 300, 400)
    root.commit(
        *(root.scored(f"s{i}", 500.0 + n, 500.0, version="chars") for i, n in enumerate(extra))
    )
    result = verb(root, "--output", "json")
    [found] = json.loads(result.stdout)["scorers"]
    assert (found["verdict"], found["has_direction"]) == ("higher", False)
    assert 100.0 < found["any_time"]["interval"]["lower"] < found["any_time"]["effect"] < 200.0
    assert result.exit_code == 0, "and no reason to stop a deployment"
    assert "(higher)" in verb(root).stdout
    [turned] = compare_models(root.path, Wanted("old-model", ("new",)), 0.05, 1_000)
    assert turned.verdict is Verdict.LOWER


def test_reading_again_after_every_commit_keeps_what_was_reached(root: Root) -> None:
    p = []
    for part in range(5):
        root.commit(
            *(root.scored(f"{part}-{i}", float(i % 5 > 0), 1.0) for i in range(40))
            if part < 3
            else (root.scored(f"{part}-{i}", 1.0, float(i % 5 > 0)) for i in range(40))
        )
        [found] = json.loads(verb(root, "--output", "json").stdout)["scorers"]
        p.append(found["any_time"]["worse"]["p"])
    assert p[2] < p[1] < p[0]
    assert p[4] == p[3] == p[2]
    assert found["verdict"] == "worse"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--segment", "tier"), "NAME=VALUE"),
        (("--since", "yesterday"), "neither a duration"),
    ],
)
def test_options_that_mean_nothing_are_usage_errors(
    root: Root, arguments: tuple[str, ...], said: str
) -> None:
    result = verb(root, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr.replace("\n", " ")


def test_a_model_without_scores_is_named_with_those_that_have_some(root: Root) -> None:
    root.commit(root.scored("a", 1.0, None))
    result = verb(root)
    assert result.exit_code == 2
    assert result.stderr.startswith("no scores of a model old-model under")
    assert result.stderr.endswith("there are: new\n")


def test_models_that_never_met_are_a_failure_without_a_traceback(root: Root) -> None:
    root.commit(root.scored("a", 1.0, None), root.scored("b", None, 1.0))
    result = verb(root)
    assert result.exit_code == 1
    assert result.stderr == (
        "error: no sample has scores of both new and old-model in what was asked for\n"
    )


def test_a_root_without_tables_is_a_failure_that_names_the_setting(tmp_path: Path) -> None:
    command = ["compare", "a", "b", "--config", str(MINIMAL)]
    result = CliRunner().invoke(app, [*command, "--set", f"storage.root={tmp_path}"])
    assert result.exit_code == 1
    assert "storage.root says where" in result.stderr
    assert not any(tmp_path.iterdir())


def test_two_options_of_time_agree(root: Root) -> None:
    root.commit(root.scored("a", 1.0, 0.0, at_ms=1_000), root.scored("b", 1.0, 0.0, at_ms=2_000))
    result = verb(root, "--since", "1970-01-01T00:00:02Z", "--output", "json")
    assert json.loads(result.stdout)["scorers"][0]["pairs"] == 1
    assert json.loads(verb(root, "--since", "99y", "--output", "json").stdout)["scorers"]
