"""What may be said of a scorer, and what follows when nothing is."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from streaming_eval.pipeline.bound_scorers import bound_scorer
from streaming_eval.settings import ScorerKind, ScorerSettings
from tests.pipeline.fleet import settings

MODEL = {"endpoint": "models", "model": "m"}
NEEDED: dict[str, dict[str, object]] = {
    "judge": {"judge": MODEL | {"rubric": "?"}},
    "embedding_similarity": {"embedding": MODEL},
    "embedding_cell": {"embedding": MODEL},
    "latency_within": {"limit_ms": 2_000},
}


def scorer(kind: str, **more: object) -> ScorerSettings:
    return ScorerSettings.model_validate({"kind": kind, **NEEDED.get(kind, {}), **more})


@pytest.mark.parametrize("kind", [kind.value for kind in ScorerKind])
def test_what_has_no_better_and_no_worse_is_watched_for_drift_alone(kind: str) -> None:
    given = scorer(kind)
    judged = bound_scorer(settings(), given).definition.higher_is_better is not None
    assert given.raises_alerts == (judged and kind not in ("latency_ms", "cost"))
    assert given.watches_drift == (kind != "latency_ms")
    if not judged:
        for key, value in (("alarm", True), ("smallest_effect", 0.1)):
            with pytest.raises(ValidationError, match="no better and no worse"):
                scorer(kind, **{key: value})


@pytest.mark.parametrize("kind", [kind.value for kind in ScorerKind])
def test_drift_may_be_switched_on_and_off_for_every_kind(kind: str) -> None:
    assert scorer(kind, drift=True).watches_drift
    assert not scorer(kind, drift=False).watches_drift


@pytest.mark.parametrize(
    ("kind", "more", "problem"),
    [
        ("contains", {"limit_ms": 5}, "belongs to kind latency_within, this is contains"),
        ("contains", {"centroids": "x"}, "belongs to kind embedding_cell, this is contains"),
        ("contains", {"embedding": MODEL}, "kind embedding_similarity or embedding_cell"),
        ("latency_within", {"limit_ms": None}, "is required for kind latency_within"),
        ("latency_within", {"limit_ms": 0}, "greater than 0"),
        ("embedding_cell", {"embedding": None}, "is required for kind embedding_cell"),
        ("embedding_cell", {"text": "both"}, "'prompt' or 'response'"),
    ],
)
def test_a_key_stands_with_its_kind(kind: str, more: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        scorer(kind, **more)


def test_a_share_of_a_latency_is_any_share_up_to_the_cap() -> None:
    assert scorer("latency_ms", logarithmic=True, smallest_effect=0.25).smallest_effect == 0.25
    with pytest.raises(ValidationError, match="as much as the scale itself"):
        scorer("latency_ms", cap_ms=100, smallest_effect=100)
