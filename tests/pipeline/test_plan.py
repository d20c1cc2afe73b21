from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from streaming_eval.pipeline.plan import MonitorPlan, evaluation_plan, monitor_plan
from streaming_eval.pipeline.preaggregate import pane_counts
from streaming_eval.pipeline.segment_mix import Mix
from streaming_eval.pipeline.series_counts import alarmed_series, series_limit
from streaming_eval.records import ALL_SEGMENTS, OTHER, SEGMENT_MIX, SeriesKey
from streaming_eval.settings import Settings
from tests.pipeline.fleet import CAP_MS, PANE_MS, VERSIONS, WINDOW_MS, key, plan, settings
from tests.pipeline.scored import Scored, batch

SEGMENTS = st.dictionaries(
    st.sampled_from(["tier", "country"]),
    st.lists(st.sampled_from(["pro", "free", "x=y", "a|b"]), unique=True, max_size=3),
)


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    """Any fleet: which models, scorers, segments and comparisons there are."""
    production = draw(st.sampled_from([["a"], ["a", "b"], ["a", "production"]]))
    candidates = draw(st.sampled_from([[], ["c"], ["c", "d"], ["c", "d", "e"]]))
    against = [
        {"candidate": c, "against": other}
        for c, other in product(candidates, [*candidates, "production"])
        if c != other
    ]
    many = ["prompt_chars", "contains", "latency_ms"]
    kinds = draw(st.sampled_from([["contains"], many, ["token_f1"], ["prompt_chars"]]))
    return settings(
        production_models=production,
        candidates=[{"name": c, "endpoint": "models", "model": c} for c in candidates],
        scorers=[
            {"kind": kind, "alarm": kind != "prompt_chars" and draw(st.booleans())}
            for kind in kinds
        ],
        segments=draw(SEGMENTS),
        comparisons=[c for c in against if draw(st.booleans())],
    )


def everything_imaginable(fleet: Settings, monitor: MonitorPlan) -> list[Scored]:
    """Scores of known and unknown models, segments and others, in every combination.

    But for those that no worker makes: differences that say nothing, and candidates' prompts.
    """
    comparable = {scorer for scorer, _, _ in monitor.paired}
    candidates = {candidate.name for candidate in fleet.candidates}
    models = [*fleet.production_models, *(c.name for c in fleet.candidates), "new", OTHER]
    values = {name: [*allowed, "new", OTHER, ""] for name, allowed in fleet.segments.items()}
    return [
        Scored(
            model,
            scorer,
            version,
            segments=dict(zip(values, combination, strict=True)),
            value=0.0,
            paired=dict.fromkeys(models if scorer in comparable else (), 0.0),
        )
        for scorer, version in [*monitor.layout.scales, ("contains", "old")]
        for model in models
        if not (scorer in monitor.layout.of_prompt and model in candidates)
        for combination in product(*values.values())
    ]


def series_of(rows: Sequence[Scored], monitor: MonitorPlan) -> set[SeriesKey]:
    counted = pane_counts([batch(rows)], monitor.layout)
    return {SeriesKey.parse(k) for out in counted for k in out["series_key"].to_pylist()}


@budget(max_examples=40, deadline=None)
@given(any_settings())
def test_no_data_whatever_make_more_series_than_the_limit_says(fleet: Settings) -> None:
    monitor = monitor_plan(fleet)
    keys = series_of(everything_imaginable(fleet, monitor), monitor)
    assert len(keys) == series_limit(fleet), "and the limit is not too high either"
    plans = [monitor.series(key) for key in keys]
    assert sum(p.alarm + (p.drift is not None) for p in plans) == alarmed_series(fleet)


def test_the_false_alarm_budget_is_divided_among_all_series_that_may_alarm() -> None:
    fleet = settings()
    # Two alarming scorers; assistant, others, two candidates and two pairs; all, pro, free, others.
    # The distributions of the same, without the pairs; one model's mix of one segment.
    assert alarmed_series(fleet) == 2 * 6 * 4 + 2 * 4 * 4 + 1
    assert alarmed_series(settings(monitor={"drift": {"watch": False}})) == 48
    week_in_panes = 7 * 24 * 60
    watched = plan().series(key("contains"))
    assert watched.log_suspect == pytest.approx(math.log(week_in_panes))
    assert watched.log_threshold == pytest.approx(math.log(week_in_panes * 81))
    assert watched.drift is not None
    assert watched.drift.log_threshold == watched.log_threshold


def test_a_scorer_with_more_weight_needs_less_evidence_and_the_others_more() -> None:
    """The chances of a false alarm still add up to those of the budget."""
    fleet = settings(monitor={"drift": {"watch": False}})
    heavy = fleet.scorers[0].model_copy(update={"alarm_weight": 3.0})
    weighted = fleet.model_copy(update={"scorers": (heavy, *fleet.scorers[1:])})
    plans = monitor_plan(weighted)
    needed = {s.label: plans.own[s.label].log_threshold for s in fleet.scorers if s.raises_alerts}
    assert len(needed) == 2
    assert needed.pop(heavy.label) == pytest.approx(needed.popitem()[1] - math.log(3))
    each, mixes = divmod(alarmed_series(fleet), 2)  # the mix of the one segment has weight 1
    light = next(s.label for s in fleet.scorers[1:] if s.raises_alerts)
    of_heavy, of_light = (math.exp(-plans.own[n].log_threshold) for n in (heavy.label, light))
    budget_panes = math.exp(plans.own[light].log_suspect)
    assert each * of_heavy + (each + mixes) * of_light == pytest.approx(1 / budget_panes)


def test_a_scorer_without_alarm_has_a_series_that_never_opens_one() -> None:
    assert plan().series(key("contains")).alarm
    assert not plan().series(key("latency_ms")).alarm
    assert plan().series(key("latency_ms")).drift is None
    watched = [{"kind": "latency_ms", "cap_ms": CAP_MS, "drift": True}]
    assert plan(scorers=watched, comparisons=[]).series(key("latency_ms")).drift is not None


def test_the_mix_of_a_segment_is_a_series_of_production_s_models_and_watched_for_drift_only() -> (
    None
):
    monitor = plan()
    mix = Mix.of(("pro", "free"))
    of_tier = SeriesKey("assistant", "tier", SEGMENT_MIX, mix.version)
    assert monitor.watches(of_tier)
    assert monitor.categories(of_tier) == ("pro", "free", OTHER, "(none)")
    watched = monitor.series(of_tier)
    assert not watched.alarm
    assert watched.drift is not None and not watched.drift.ordered
    assert not monitor.watches(replace(of_tier, evaluation_version="of other values"))
    assert not monitor.watches(replace(of_tier, segment="country"))


@pytest.mark.parametrize(
    ("scorer", "changes", "effect"),
    [
        ({"kind": "contains"}, {}, 0.02),
        ({"kind": "contains", "smallest_effect": 0.1}, {}, 0.1),
        ({"kind": "latency_ms", "cap_ms": 5_000, "smallest_effect": 100}, {}, 0.02),
        ({"kind": "contains"}, {"smallest_effect": 0.3}, 0.3),
    ],
)
def test_the_smallest_effect_becomes_a_share_of_the_range(
    scorer: dict[str, Any], changes: dict[str, Any], effect: float
) -> None:
    monitor = plan(scorers=[scorer], monitor=changes)
    assert monitor.own[scorer["kind"]].smallest_effect == pytest.approx(effect)


def test_a_difference_spans_twice_the_range_so_its_smallest_effect_is_half_the_share() -> None:
    monitor = plan()
    assert monitor.series(key(model="small", against="large")).smallest_effect == 0.01
    assert monitor.scale(key(model="small", against="large")).low == -1.0
    own = [{"candidate": "small", "against": "large", "smallest_effect": 0.1}]
    assert plan(comparisons=own).paired["contains", "small", "large"].smallest_effect == 0.05


def test_a_comparison_has_the_baseline_of_its_own_else_the_common_one() -> None:
    monitor = plan()
    constant = monitor.series(key(model="small", against="large"))
    assert (constant.baseline_constant, constant.baseline_samples) == (0.5, None), "no difference"
    common = monitor.series(key(model="small", against="assistant"))
    assert (common.baseline_constant, common.baseline_samples) == (None, 100)
    assert common == monitor.paired["contains", "small", "production"]


@pytest.mark.parametrize(
    ("scorer", "value", "unit"),
    [("contains", 0.9, 0.9), ("latency_ms", 2_500, 0.75), ("latency_ms", 99_999, 0.0)],
)
def test_a_constant_baseline_is_put_on_the_unit_scale(
    scorer: str, value: float, unit: float
) -> None:
    baseline = {"kind": "constant", "value": value}
    monitor = plan(
        scorers=[{"kind": scorer, "cap_ms": CAP_MS}], monitor={"baseline": baseline}, comparisons=[]
    )
    assert monitor.own[scorer].baseline_constant == unit


def test_panes_windows_and_levels_are_as_set() -> None:
    monitor = plan()
    assert (monitor.layout.pane_ms, monitor.allowed_lateness_ms) == (PANE_MS, 60_000)
    own = monitor.own
    assert {(p.pane_ms, p.window_ms) for p in own.values()} == {(PANE_MS, WINDOW_MS)}
    levels = {scorer: p.grid.levels for scorer, p in own.items()}
    assert levels == {"contains": 2, "latency_ms": 65, "judge": 3}
    assert monitor.paired["judge", "small", "production"].grid.levels == 5


def test_pairs_name_production_for_the_worker_and_its_models_for_the_monitor() -> None:
    fleet = settings(production_models=["assistant", "canary"])
    assert evaluation_plan(fleet).pairs == {"small": ("large", "production")}
    assert monitor_plan(fleet).layout.pairs == {"small": ("large", "assistant", "canary")}


def test_rubric_and_model_make_a_judge_s_version_and_its_endpoint_s_name_does_not() -> None:
    judge = {"endpoint": "models", "model": "j", "rubric": "Is it right?", "low": 1, "high": 3}

    def version(changes: dict[str, Any], **more: Any) -> str:  # noqa: ANN401
        scorers = [{"kind": "judge", "judge": judge | changes}]
        (bound,) = evaluation_plan(settings(scorers=scorers, **more)).scorers
        return bound.evaluation_version

    assert version({}) == VERSIONS["judge"]
    others = [version({name: v}) for name, v in (("rubric", "?"), ("model", "k"), ("high", 4))]
    assert len({VERSIONS["judge"], *others}) == 4
    renamed = {"graders": {"base_url": "http://127.0.0.1:9/v1"}}
    assert (
        version({"endpoint": "graders"}, endpoints=renamed, candidates=[], comparisons=[])
        == (VERSIONS["judge"])
    )


def test_a_candidate_is_asked_as_the_configuration_says() -> None:
    candidate = {
        "name": "small",
        "endpoint": "models",
        "model": "org/small",
        "revision": "r2",
        "system_prompt": "Be brief.",
        "parameters": {"temperature": 0.5},
    }
    (call,) = evaluation_plan(settings(candidates=[candidate], comparisons=[])).candidates
    request = call.request(())
    assert (request.endpoint, request.api) == ("http://127.0.0.1:9/v1", "openai_chat")
    assert (request.model, request.revision) == ("org/small", "r2")
    assert request.parameters == {"temperature": 0.5}
    assert [(m.role, m.content) for m in request.messages] == [("system", "Be brief.")]


def test_latency_raises_no_alerts_unless_asked_to() -> None:
    for alarm, expected in (({}, False), ({"alarm": True}, True)):
        scorers: list[dict[str, object]] = [{"kind": "latency_ms", **alarm}, {"kind": "contains"}]
        monitor = plan(scorers=scorers)
        assert monitor.own["latency_ms"].alarm is expected
        assert monitor.own["contains"].alarm


@pytest.mark.parametrize(
    ("gone", "now"),
    [
        (key("judge"), {"scorers": [{"kind": "contains"}]}),
        (replace(key("contains"), evaluation_version="old"), {}),
        (key(model="small", against="large"), {"comparisons": []}),
        (key(model="large", against="small"), {}),
        (key("judge", "small", against="assistant"), {"scorers": [{"kind": "contains"}]}),
    ],
)
def test_a_series_that_the_configuration_no_longer_makes_is_not_watched(
    gone: SeriesKey, now: dict[str, object]
) -> None:
    assert not plan(**now).watches(gone)


def test_every_series_that_data_can_make_is_watched() -> None:
    monitor = plan()
    keys = series_of(everything_imaginable(settings(), monitor), monitor)
    assert all(monitor.watches(key) for key in keys)


def test_the_series_of_all_samples_exists_for_each_model_even_without_segments() -> None:
    monitor = plan(segments={})
    rows = everything_imaginable(settings(segments={}), monitor)
    assert {k.segment for k in series_of(rows, monitor)} == {ALL_SEGMENTS}


def test_the_champion_as_a_baseline_is_no_difference() -> None:
    against = [{"candidate": "small", "against": "large", "baseline": {"kind": "champion"}}]
    watched = plan(comparisons=against).paired["contains", "small", "large"]
    assert (watched.baseline_constant, watched.baseline_samples) == (0.5, None)


def test_seasons_sliding_windows_and_maturity_are_as_set() -> None:
    monitor = {
        "window": "5m",
        "sliding_windows": ["10m", "1h"],
        "label_maturity": "2h",
        "baseline": {"kind": "pinned", "seasonal": "hour_of_day"},
    }
    own = plan(monitor=monitor).own["contains"]
    assert (own.seasons, own.sliding_ms, own.maturity_ms) == (24, (600_000, 3_600_000), 7_200_000)
    assert not own.looks_early


def test_weights_count_up_to_the_largest_that_is_set_and_not_at_all_by_default() -> None:
    assert {p.grid.shares for p in plan().own.values()} == {(1.0,)}
    weighted = plan(monitor={"max_weight": 8})
    assert {p.grid.shares for p in weighted.own.values()} == {(0.125, 0.25, 0.5, 1.0)}
    assert {p.grid.shares for p in weighted.paired.values()} == {(0.125, 0.25, 0.5, 1.0)}
    assert {p.grid.shares for p in weighted.mixes.values()} == {(1.0,)}, "samples are samples"
