"""The panels on decisions that more than one board shows."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table

from grafana.panels import About, Level, Query, coloured, number, rows

DRIFT_STATES = (
    Level(0, "insufficient", "#8e8e8e"),
    Level(1, "ok", "green"),
    Level(2, "suspect", "orange"),
    Level(3, "drifted", "red"),
)
NOT_SHOWN = ["Time", "job", "instance", "__name__"]
_FLEET = 'job="$job",model=~"$model"'


def promise() -> stat.Panel:
    """How rare false alarms are, as promised."""
    about = About(
        "At most one false alarm in",
        "The promised mean time between false alarms, all series together.",
        "s",
        5,
    )
    expr = 'streaming_eval_false_alarm_budget_seconds{job="$job"}'
    return number(about, Query(expr, "{{instance}}"))


def distributions_by_state(width: int = 9) -> stat.Panel:
    """How many distributions are in each state."""
    about = About(
        "Distributions by state",
        "How many distributions of scores and of questions the evaluator has decided to be in each "
        "state.",
        "short",
        width,
    )
    expr = f"sum by (state) (streaming_eval_drift_state{{{_FLEET}}})"
    return coloured(number(about, Query(expr, "{{state}}")), DRIFT_STATES)


def put_down_to() -> table.Panel:
    """Verdicts on open alerts."""
    about = About(
        "What open alerts are put down to",
        "Of alerts on scores of a judge with anchors: whether the system has changed or the judge. "
        "Empty while there are none.",
        "short",
    )
    expr = f"streaming_eval_alert_culprit{{{_FLEET}}} == 1"
    return rows(about, Query(expr), {"culprit": "put down to"}, hidden=[*NOT_SHOWN, "Value"])
