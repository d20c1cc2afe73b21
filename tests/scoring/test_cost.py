"""What an answer cost: known, cut, missing, and which version it belongs to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.pipeline.bound_scorers import scale_of
from streaming_eval.records import Message, Response, Sample, Score, ScoreStatus
from streaming_eval.scoring import SCORERS, define, evaluation_version
from streaming_eval.scoring.cost import Priced

PRICED = Priced(cap=0.5, currency="USD", per_million={"gpt": (0.15, 0.6)})
COST = define("cost", "cost", priced=PRICED)
SAMPLE = Sample("s", 0, "gpt", (Message("user", "Why?"),))
ASKED = Response("Because.", attempts=1)


def cost(response: Response) -> Score | None:
    return SCORERS["cost"](SAMPLE, response, COST)


@pytest.mark.parametrize(("paid", "value"), [(0.0, 0.0), (0.0004, 0.0004), (0.5, 0.5), (9.0, 0.5)])
def test_a_cost_is_cut_at_the_cap(paid: float, value: float) -> None:
    assert cost(replace(ASKED, cost=paid)) == Score(value)
    assert cost(replace(ASKED, cost=paid, cached=True)) == Score(value), "paid for at some time"


@pytest.mark.parametrize("cached", [False, True])
def test_an_answer_that_was_asked_for_and_has_no_known_cost_is_missing_not_free(
    cached: bool,
) -> None:
    unknown = Score(None, ScoreStatus.UNPARSABLE, "cost_unknown")
    assert cost(replace(ASKED, cached=cached)) == unknown


def test_production_may_know_no_cost_and_has_no_score_then() -> None:
    assert cost(Response("Because.")) is None


def test_other_prices_currencies_and_caps_are_other_versions() -> None:
    others = [
        replace(PRICED, cap=1.0),
        replace(PRICED, currency="EUR"),
        replace(PRICED, per_million={"gpt": (0.15, 0.7)}),
        replace(PRICED, per_million={}),
    ]
    versions = {evaluation_version(define("cost", "cost", priced=p)) for p in (PRICED, *others)}
    assert len(versions) == 5
    again = Priced(cap=0.5, currency="USD", per_million={"gpt": (0.15, 0.6)})
    assert evaluation_version(define("cost", "cost", priced=again)) in versions


@given(st.floats(5e-6, 0.5), st.floats(1.3, 2.0))
def test_costs_of_a_cent_and_of_a_hundredth_of_it_are_told_apart_by_their_ratio(
    paid: float, ratio: float
) -> None:
    """From ten millionths of the cap on, 30% are more than two levels wherever they are."""
    scale = scale_of(COST)
    dear, cheap = scale.unit([min(paid, 0.5 / ratio) * ratio, min(paid, 0.5 / ratio)])
    assert (cheap - dear) * (scale.levels - 1) > 2.0
    assert scale.raw(scale.unit(paid)) == pytest.approx(paid)
    assert np.isclose(scale.part(ratio - 1.0), np.log(ratio) / np.log1p(1e6))
