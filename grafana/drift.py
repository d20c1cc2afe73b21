"""The board "streaming-eval / Drift": what has moved, among questions, answers or in the judge."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as models

from grafana.boards import Panel, Variable, board, evaluator, variable
from grafana.decision_panels import (
    DRIFT_STATES,
    NOT_SHOWN,
    distributions_by_state,
    promise,
    put_down_to,
)
from grafana.panels import WIDTH, About, Level, Query, dashed, lines, number, rows, states

UID = "streaming-eval-drift"
CULPRITS = (
    Level(0, "undecided", "#8e8e8e"),
    Level(1, "system", "red"),
    Level(2, "judge", "purple"),
)
_FLEET = 'job="$job",model=~"$model"'
_CHOSEN = f'{_FLEET},segment=~"$segment",scorer="$scorer"'
_INPUT = f'{_FLEET},scorer=~"segment_mix|prompt_chars"'
_JUDGE = 'job="$job",model="__judge__"'
_JOIN = "on (job, instance, model, segment, scorer)"


def drift() -> models.Dashboard:
    """The board as Grafana's classic JSON model."""
    return board(
        "Drift",
        UID,
        "Has anything moved: what is asked, what is answered, or the judge?",
        _variables(),
        (
            ("Decisions", [distributions_by_state(), _firing(), promise(), _watched(), _most()]),
            ("$scorer", [_timeline(), _evidence()]),
            ("What users ask", [_input_states(), _input_evidence()]),
            ("The system or the judge", [put_down_to(), _verdicts(), _agreement(), _of_judges()]),
        ),
    )


def _variables() -> list[Variable]:
    state = "streaming_eval_drift_state"
    everything = models.VariableOption(text="All", value="$__all")
    return [
        *evaluator(),
        variable("model", "Model", f'label_values({state}{{job="$job"}}, model)')
        .multi(True)
        .include_all(True)
        .current(everything),
        variable("scorer", "Scorer", f"label_values({state}{{{_FLEET}}}, scorer)"),
        variable(
            "segment", "Segment", f'label_values({state}{{{_FLEET},scorer="$scorer"}}, segment)'
        )
        .multi(True)
        .include_all(True)
        .current(everything),
    ]


def _firing() -> Panel:
    about = About(
        "Alerts of drift firing",
        "Of scores, of what users ask and of judges, as they fire in Prometheus.",
        "short",
        5,
    )
    expr = 'sum(ALERTS{alertname=~"StreamingEval.+Drift",alertstate="firing"}) or vector(0)'
    return number(about, Query(expr, "firing"))


def _watched() -> Panel:
    about = About("Distributions watched", "Series of all models that may drift.", "short", 5)
    expr = 'count by (instance) (streaming_eval_drift_log_evidence{job="$job"})'
    return number(about, Query(expr, "{{instance}}"))


def _most() -> Panel:
    about = About(
        "Distributions, most evidence of drift first",
        "Log evidence as a share of the threshold at which a distribution counts as drifted; at "
        "most 50. Which scores or values have gained or lost, the status page says, and the column "
        "drift_cells of the table alerts.",
        "percentunit",
        WIDTH,
    )
    state = f"(streaming_eval_drift_state{{{_FLEET}}} == 1)"
    expr = f"topk(50, {state} * {_JOIN} group_left () {_share(_FLEET)})"
    return rows(about, Query(expr), {"Value": "evidence / threshold"}, hidden=NOT_SHOWN)


def _timeline() -> Panel:
    about = About(
        "States over time",
        "The decision on each distribution of the chosen models, segments and scorer.",
        "short",
    )
    return states(about, Query(_coded(_CHOSEN), "{{model}} {{segment}}"), DRIFT_STATES)


def _evidence() -> Panel:
    about = About(
        "Evidence of drift",
        "Natural logarithm of the evidence, 0 where there is none. It may be read at any time: the "
        "promise holds at every look. A distribution counts as drifted at its threshold.",
        "short",
    )
    evidence = f"clamp_min(streaming_eval_drift_log_evidence{{{_CHOSEN}}}, 0)"
    threshold = f"max(streaming_eval_drift_log_threshold{{{_CHOSEN}}})"
    panel = lines(about, Query(evidence, "{{model}} {{segment}}"), Query(threshold, "threshold"))
    return dashed(panel, "threshold", "red")


def _input_states() -> Panel:
    about = About(
        "Mixes of segments and lengths of prompts",
        "The decision on what each production model is asked; segment names the segment whose "
        "values are counted.",
        "short",
    )
    return states(about, Query(_coded(_INPUT), "{{model}} {{scorer}} {{segment}}"), DRIFT_STATES)


def _input_evidence() -> Panel:
    about = About(
        "Evidence that users ask otherwise",
        "Log evidence as a share of the threshold, 0 where there is none.",
        "percentunit",
    )
    return lines(about, Query(_share(_INPUT), "{{model}} {{scorer}} {{segment}}"))


def _verdicts() -> Panel:
    about = About(
        "Verdicts over time",
        "Undecided from when an alert opens until the judge's anchors have told, then final.",
        "short",
    )
    coded = " or ".join(
        f'streaming_eval_alert_culprit{{{_FLEET},culprit="{level.word}"}} * {level.number}'
        for level in CULPRITS
    )
    legend = "{{model}} {{against}} {{segment}} {{scorer}} {{kind}}"
    return states(about, Query(f"sum without (culprit) ({coded})", legend), CULPRITS)


def _agreement() -> Panel:
    about = About(
        "Judges' agreement with people",
        "Share of anchors that the judge grades as people did, since its baseline, with the "
        "interval that holds at every look. Empty without anchors.",
        "percentunit",
    )
    since = f'{_JUDGE},window="baseline"'
    return lines(
        about,
        Query(f"streaming_eval_score_lower{{{since}}}", "{{scorer}} lower"),
        Query(f"streaming_eval_score_upper{{{since}}}", "{{scorer}} upper"),
        Query(f"streaming_eval_score_mean{{{since}}}", "{{scorer}} mean"),
        Query(f"streaming_eval_baseline_mean{{{_JUDGE}}}", "{{scorer}} baseline"),
    )


def _of_judges() -> Panel:
    about = About(
        "Evidence that a judge has changed",
        "Natural logarithm of the evidence that it agrees with people less often, 0 where there is "
        "none, and the threshold at which the judge counts as regressed.",
        "short",
    )
    evidence = f"clamp_min(streaming_eval_regression_log_evidence{{{_JUDGE}}}, 0)"
    threshold = f"max(streaming_eval_regression_log_threshold{{{_JUDGE}}})"
    panel = lines(about, Query(evidence, "{{scorer}}"), Query(threshold, "threshold"))
    return dashed(panel, "threshold", "red")


def _share(chosen: str) -> str:
    """Evidence as a share of the threshold."""
    evidence, threshold = (
        f"streaming_eval_drift_log_{name}{{{chosen}}}" for name in ("evidence", "threshold")
    )
    return f"clamp_min({evidence} / {threshold}, 0)"


def _coded(chosen: str) -> str:
    """One number per distribution, that of its state."""
    parts = " or ".join(
        f'streaming_eval_drift_state{{{chosen},state="{level.word}"}} * {level.number}'
        for level in DRIFT_STATES
    )
    return f"sum without (state) ({parts})"
