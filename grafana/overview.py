"""The board "streaming-eval / Overview": decisions first, one series next, the pipeline last."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import dashboard as models

from grafana.boards import Panel, Variable, board, evaluator, variable
from grafana.decision_panels import NOT_SHOWN, distributions_by_state, promise, put_down_to
from grafana.panels import (
    WIDTH,
    About,
    Level,
    Query,
    banded,
    coloured,
    dashed,
    lines,
    number,
    rows,
    states,
)
from grafana.pipeline_panels import pipeline

UID = "streaming-eval-overview"
STATES = (
    Level(0, "insufficient", "#8e8e8e"),
    Level(1, "ok", "green"),
    Level(2, "suspect", "orange"),
    Level(3, "regressed", "red"),
)
_FLEET = 'job="$job",model=~"$model"'
_SCORER = f'{_FLEET},scorer="$scorer"'
_SERIES = 'job="$job",model="$model",segment="$segment",scorer="$scorer"'
_PAIRS = f'{_SCORER},segment="$segment",against!=""'
_WINDOW = 'window="$window"'
_OWN = 'against=""'
_JOIN = "on (job, instance, model, segment, scorer, against)"


def overview() -> models.Dashboard:
    """The board as Grafana's classic JSON model."""
    return board(
        "Overview",
        UID,
        "Has quality really got worse, for whom, and since when?",
        _variables(),
        (
            ("Decisions", _decisions()),
            ("$scorer on $segment", _one_series()),
            ("$quantity on $segment", [_quantiles()]),
            ("Pipeline", pipeline()),
        ),
    )


def _variables() -> list[Variable]:
    state = "streaming_eval_monitor_state"
    return [
        *evaluator(),
        variable("model", "Model", f'label_values({state}{{job="$job"}}, model)')
        .multi(True)
        .include_all(True)
        .current(models.VariableOption(text="All", value="$__all")),
        variable("segment", "Segment", f"label_values({state}{{{_FLEET}}}, segment)").current(
            models.VariableOption(text="__all__", value="__all__")
        ),
        variable("scorer", "Scorer", f"label_values({state}{{{_FLEET}}}, scorer)"),
        variable(
            "quantity",
            "Latency, cost or length",
            f"label_values(streaming_eval_score_quantile{{{_FLEET}}}, scorer)",
        ),
        variable(
            "window", "Window", 'label_values(streaming_eval_score_samples{job="$job"}, window)'
        ),
    ]


def _decisions() -> list[Panel]:
    return [
        *(_by_state(), _firing(), promise(), _alive()),
        _worst(),
        *(_timeline(), _evidence()),
        _anywhere(),
        *(distributions_by_state(WIDTH // 2), put_down_to()),
    ]


def _by_state() -> Panel:
    about = About(
        "Series by state",
        "How many series the evaluator has decided to be in each state.",
        "short",
        9,
    )
    expr = f"sum by (state) (streaming_eval_monitor_state{{{_FLEET}}})"
    return coloured(number(about, Query(expr, "{{state}}")), STATES)


def _firing() -> Panel:
    about = About("Alerts firing", "Alerts of our rules that fire in Prometheus.", "short", 5)
    expr = 'sum(ALERTS{alertname=~"StreamingEval.+",alertstate="firing"}) or vector(0)'
    return number(about, Query(expr, "firing"))


def _alive() -> Panel:
    about = About("Series alive", "Series that had scores lately, of all models.", "short", 5)
    return number(about, Query('streaming_eval_series{job="$job"}', "{{instance}}"))


def _worst() -> Panel:
    about = About(
        "Series, most evidence of a regression first",
        "Log evidence as a share of the threshold at which a series counts as regressed; at most "
        "50 series.",
        "percentunit",
        WIDTH,
    )
    share = (
        f"clamp_min(streaming_eval_regression_log_evidence{{{_FLEET}}} "
        f"/ streaming_eval_regression_log_threshold{{{_FLEET}}}, 0)"
    )
    state = f"(streaming_eval_monitor_state{{{_FLEET}}} == 1)"
    expr = f"topk(50, {state} * {_JOIN} group_left () {share})"
    renamed = {"Value": "evidence / threshold"}
    return rows(about, Query(expr), renamed, hidden=NOT_SHOWN)


def _timeline() -> Panel:
    about = About(
        "States over time",
        "The decision on each series of the chosen models and scorer.",
        "short",
    )
    coded = " or ".join(
        f'streaming_eval_monitor_state{{{_SCORER},state="{level.word}"}} * {level.number}'
        for level in STATES
    )
    legend = "{{model}} {{against}} {{segment}}"
    return states(about, Query(f"sum without (state) ({coded})", legend), STATES)


def _evidence() -> Panel:
    about = About(
        "Evidence of a regression",
        "Natural logarithm of the evidence, 0 where there is none. It may be read at any time: the "
        "promise holds at every look. A series counts as regressed at its threshold.",
        "short",
    )
    legend = "{{model}} {{against}} {{segment}}"
    evidence = f"clamp_min(streaming_eval_regression_log_evidence{{{_SCORER}}}, 0)"
    threshold = f"max(streaming_eval_regression_log_threshold{{{_SCORER}}})"
    return dashed(lines(about, Query(evidence, legend), Query(threshold, "threshold")),
                  "threshold", "red")  # fmt: skip


def _anywhere() -> Panel:
    about = About(
        "Evidence that a model is worse in any segment, above its threshold",
        "Natural logarithm of the evidence of all its series together, less that at which it "
        "counts as worse somewhere: at 0 and above it does. It may be read at any time.",
        "short",
        WIDTH,
    )
    evidence, threshold = (
        f"streaming_eval_model_regression_log_{name}{{{_SCORER}}}"
        for name in ("evidence", "threshold")
    )
    return lines(about, Query(f"clamp_min({evidence}, 0) - {threshold}", "{{model}} {{against}}"))


def _one_series() -> list[Panel]:
    return [_mean().repeat("model").repeat_direction("h").max_per_row(2), _effects(), _counts()]


def _mean() -> timeseries.Panel:
    about = About(
        "Mean of $model",
        "Mean score with the interval that holds at every look within the window, on the scorer's "
        "own scale, against the frozen baseline.",
        "short",
    )
    panel = lines(
        about,
        Query(f"streaming_eval_score_lower{{{_SERIES},{_WINDOW}}}", "lower"),
        Query(f"streaming_eval_score_upper{{{_SERIES},{_WINDOW}}}", "upper"),
        Query(f"streaming_eval_score_mean{{{_SERIES},{_WINDOW}}}", "mean"),
        Query(f"streaming_eval_baseline_mean{{{_SERIES},{_OWN}}}", "baseline"),
    )
    return dashed(banded(panel, "upper", "lower"), "baseline", "#8e8e8e")


def _effects() -> Panel:
    about = About(
        "Difference to other models on the same samples",
        "Mean difference with its interval; above 0 the model is better than the other.",
        "short",
    )
    legend = "{{model}} minus {{against}}"
    return lines(
        about,
        *(
            Query(f"streaming_eval_effect{limit}{{{_PAIRS},{_WINDOW}}}", f"{legend} {name}")
            for limit, name in (("_lower", "lower"), ("", "mean"), ("_upper", "upper"))
        ),
    )


def _quantiles() -> Panel:
    about = About(
        "Quantiles of $quantity",
        "Median, 95th and 99th percentile of the window on the scorer's own scale, with the limits "
        "of the 95th that hold at every look; no upper limit while too few scores are in.",
        "short",
        WIDTH,
    )
    chosen = f'{_FLEET},segment="$segment",scorer="$quantity",{_WINDOW}'
    quantile, tail = "streaming_eval_score_quantile", f'{chosen},percentile="95"'
    return lines(
        about,
        Query(f"{quantile}{{{chosen}}}", "{{model}} p{{percentile}}"),
        Query(f"{quantile}_lower{{{tail}}}", "{{model}} p{{percentile}} lower"),
        Query(f"{quantile}_upper{{{tail}}}", "{{model}} p{{percentile}} upper"),
    )


def _counts() -> Panel:
    about = About(
        "Samples in the window",
        "Scores that the mean is taken of, and samples that could not be scored.",
        "short",
    )
    chosen = f'{_SCORER},segment="$segment",{_OWN},{_WINDOW}'
    return lines(
        about,
        Query(f"streaming_eval_score_samples{{{chosen}}}", "{{model}} scored"),
        Query(f"streaming_eval_score_missing{{{chosen}}}", "{{model}} missing"),
    )
