"""Samples that one model answered and the other failed: are they as many on either side?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming_eval.adapters.lone_scores import Lone, lone_scores
from streaming_eval.adapters.score_pairs import Wanted, wanted_rows
from tests.results.test_comparing import CANDIDATE_AGAINST_OTHER, Root, verb

Rows = list[dict[str, object]]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def candidate_failed(root: Root, name: str, **columns: Any) -> Rows:  # noqa: ANN401
    lost = root.scored(name, 0.0, None, status="failed", **columns)
    return [*lost, *root.scored(name, None, 1.0, **columns)]


def other_failed(root: Root, name: str, **columns: Any) -> Rows:  # noqa: ANN401
    lost = root.scored(name, None, 0.0, status="unparsable", **columns)
    return [*root.scored(name, 1.0, None, **columns), *lost]


def found(root: Root, wanted: Wanted = CANDIDATE_AGAINST_OTHER) -> Mapping[tuple[str, str], Lone]:
    return lone_scores(wanted_rows(root.path, wanted), wanted)


def test_each_side_is_counted_and_what_was_never_asked_is_not(root: Root) -> None:
    root.commit(
        candidate_failed(root, "a"),
        candidate_failed(root, "b"),
        other_failed(root, "c"),
        root.scored("both", 1.0, 1.0),
        root.scored("neither", 0.0, 0.0, status="failed"),
        root.scored("production only", None, 1.0),
    )
    assert found(root) == {("contains", "v1"): Lone(candidate=1, other=2)}
    assert [pairs.sample_ids for pairs in root.pairs()] == [("both",)]


def test_a_sample_that_was_scored_in_the_end_is_not_missing(root: Root) -> None:
    root.commit(candidate_failed(root, "a"))
    root.commit(root.scored("a", 1.0, 1.0))
    assert found(root) == {}


def test_a_conversation_that_failed_as_a_whole_counts_once(root: Root) -> None:
    root.commit(*(candidate_failed(root, f"s{i}", cluster=7) for i in range(5)))
    root.commit(candidate_failed(root, "alone"))
    assert found(root) == {("contains", "v1"): Lone(0, 2)}


def test_scorers_and_versions_are_apart(root: Root) -> None:
    root.commit(candidate_failed(root, "a"), other_failed(root, "a", version="f1"))
    assert found(root) == {("contains", "v1"): Lone(0, 1), ("token_f1", "f1"): Lone(1, 0)}


def test_an_even_loss_rarely_ever_looks_uneven() -> None:
    """100 streams of 60 failures, looked at after each."""
    sides = np.random.default_rng(4).random((100, 60)) < 0.5
    n = np.arange(1, 61)
    missed = [
        any(Lone(int(k), int(m - k)).p <= 0.05 for k, m in zip(row, n, strict=True))
        for row in sides.cumsum(axis=1)
    ]
    assert np.mean(missed) <= 0.05


def test_a_comparison_warns_when_the_loss_is_one_sided_and_else_is_silent(root: Root) -> None:
    root.commit(*(root.scored(f"s{i}", 1.0, 1.0) for i in range(20)))
    root.commit(*(candidate_failed(root, f"e{i}") for i in range(4)))
    assert "not by chance" not in verb(root).stdout
    root.commit(*(candidate_failed(root, f"f{i}") for i in range(16)))
    said = verb(root).stdout
    assert "20 samples lack a score of new alone, and 0 one of old-model alone" in said
    (scorer,) = json.loads(verb(root, "--output", "json").stdout)["scorers"]
    assert (scorer["lone"]["candidate"], scorer["lone"]["other"]) == (0, 20)
    assert scorer["lone"]["p"] < 0.001
    assert scorer["pairs"] == 20
