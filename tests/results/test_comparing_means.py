"""Means of unbounded scores beside the medians that a verdict rests on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from streaming_eval.stats.comparison import ScoreKind, compare
from streaming_eval.stats.levels import Scale
from tests.results.test_comparing import Root, verb

COST = Scale(0.0, 1.0, higher_is_better=False, levels=65)


def costs(root: Root, n: int, dear: float = 0.0) -> None:
    """A candidate that costs .001 more on every sample, give or take, and `dear` on one."""
    extra = 0.001 + np.random.default_rng(1).normal(0.0, 0.0005, n)
    extra[n // 2] += dear
    root.commit(
        *(root.scored(f"s{i}", 0.01 + by, 0.01, version="cost") for i, by in enumerate(extra))
    )


def told(root: Root) -> dict[str, object]:
    done = verb(root, "--output", "json")
    assert done.exit_code == 1, "it costs more"
    (scorer,) = json.loads(done.stdout)["scorers"]
    assert scorer["kind"] == "unbounded"
    assert scorer["any_time"]["measure"] == "median difference"
    mean: dict[str, object] = scorer["any_time"]["mean"]
    return mean


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def test_the_mean_difference_of_many_costs_has_limits(root: Root) -> None:
    costs(root, 400)
    mean = told(root)
    assert mean["skewed"] is False
    assert mean["effect"] == pytest.approx(0.001, abs=1e-4)
    limits = mean["interval"]
    assert isinstance(limits, dict)
    assert 0.0007 < limits["lower"] < 0.001 < limits["upper"] < 0.0013
    page = verb(root).stdout
    assert "Means, which add up" in page
    assert "too few" not in page and "skewed" not in page


def test_few_pairs_have_a_mean_and_no_limits(root: Root) -> None:
    costs(root, 100)
    assert told(root)["interval"] is None
    assert "too few pairs" in verb(root).stdout


def test_one_answer_that_dwarfs_the_others_is_flagged(root: Root) -> None:
    costs(root, 400, dear=0.5)
    assert told(root)["skewed"] is True
    assert "too skewed to be believed" in verb(root).stdout


def test_a_logarithmic_latency_is_compared_like_an_even_one(root: Root) -> None:
    gaps = np.random.default_rng(2).normal(100.0, 20.0, 100)
    for version in ("ms", "log"):
        root.commit(
            *(root.scored(f"{version}{i}", 500.0 + by, 500.0, version) for i, by in enumerate(gaps))
        )
        (scorer,) = json.loads(verb(root, "--output", "json").stdout)["scorers"]
        assert (scorer["evaluation_version"], scorer["verdict"]) == (version, "worse")


@pytest.mark.parametrize("kind", [kind for kind in ScoreKind if kind is not ScoreKind.UNBOUNDED])
def test_other_kinds_are_compared_by_their_mean_already(kind: ScoreKind) -> None:
    scale = Scale(0.0, 1.0, True, 2 if kind is ScoreKind.PASS_FAIL else 65)
    drawn = np.full(4, 0.5)
    assert compare([0.0, 1.0, 0.0, -1.0], scale, kind, drawn, 0.05, 1_000).mean is None
    assert compare([], COST, ScoreKind.UNBOUNDED, np.empty(0), 0.05, 1_000).mean is None
