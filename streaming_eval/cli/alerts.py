"""Verbs for alerts: look at them, and say that one has been seen to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streaming_eval.cli.deciding import (
    AgainstOption,
    ByOption,
    ModelOption,
    ReasonOption,
    ScorerOption,
    SegmentOption,
    plain,
    series_text,
    signature,
)
from streaming_eval.cli.guard import guarded
from streaming_eval.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    OutputOption,
    SetOption,
    VerboseOption,
    settings_from,
)
from streaming_eval.cli.output import Output, say, say_json, say_table

if TYPE_CHECKING:
    from streaming_eval.pipeline.ledger_views import AlertView

alerts_app = typer.Typer(no_args_is_help=True, help="Series that were found regressed or drifted.")

_HEAD = (
    "alert",
    "series",
    "opened",
    "began",
    "log evidence",
    "put down to",
    "status",
    "by",
    "reason",
)


@alerts_app.command("list")
@guarded
def list_(  # noqa: PLR0913 - one parameter per option
    only_open: Annotated[
        bool, typer.Option("--open", help="Only those that are not resolved.")
    ] = False,
    model: ModelOption = None,
    segment: SegmentOption = None,
    scorer: ScorerOption = None,
    against: AgainstOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """List alerts, the oldest first."""
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.pipeline.frozen_baselines import Chosen
    from streaming_eval.pipeline.job_tables import existing_tables
    from streaming_eval.pipeline.ledger_views import alerts

    chosen = Chosen(model, segment, scorer, against)
    views = alerts(existing_tables(settings.storage), chosen, only_open=only_open)
    if output is Output.JSON:
        say_json([_document(view) for view in views])
    else:
        say_table(_HEAD, [_row(view) for view in views])


@alerts_app.command("acknowledge")
@guarded
def acknowledge(
    alert: Annotated[str, typer.Argument(help="Id of the alert.")],
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Resolve an alert: evidence begins anew, against the same baseline.

    It opens again when the drop goes on. A running job takes it with its next micro-batch.
    """
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.pipeline import decision_desk
    from streaming_eval.pipeline.job_tables import existing_tables

    signed = signature(by, reason)
    row = decision_desk.acknowledge(existing_tables(settings.storage), alert, signed)
    say(f"acknowledged {alert} of {series_text(row)}")


def _document(view: AlertView) -> dict[str, Any]:
    ended = view.resolved or {}
    names = ("resolved_at", "resolved_pane", "why", "who", "reason")
    return plain({**view.opened, **{name: ended.get(name) for name in names}}) | {
        "status": "resolved" if view.resolved else "opened",
        "culprit": view.culprit,
    }


def _row(view: AlertView) -> tuple[str, ...]:
    opened, ended = view.opened, view.resolved or {}
    return (
        opened["alert_id"],
        series_text(opened),
        f"{opened['opened_at']:%Y-%m-%dT%H:%M:%SZ}",
        f"{opened['began_at']:%Y-%m-%dT%H:%M:%SZ}",
        f"{opened['log_evidence']:.2f}",
        view.culprit or "",
        ended.get("why") or "open",
        ended.get("who") or "",
        ended.get("reason") or "",
    )
