"""Verbs for baselines: make one, look at them, put one in force."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streaming_eval.cli.deciding import (
    AgainstOption,
    ByOption,
    ModelOption,
    ReasonOption,
    ScorerOption,
    SegmentOption,
    instant_ms,
    plain,
    series_text,
    signature,
)
from streaming_eval.cli.guard import EXIT_FAILURE, guarded
from streaming_eval.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    OutputOption,
    SetOption,
    VerboseOption,
    settings_from,
)
from streaming_eval.cli.output import Output, busy, say, say_error, say_json, say_table

if TYPE_CHECKING:
    from streaming_eval.pipeline.ledger_views import BaselineView

baseline_app = typer.Typer(no_args_is_help=True, help="What series are compared with.")

_HEAD = ("baseline", "series", "n", "mean", "status", "version", "period", "by", "reason")


@baseline_app.command("create")
@guarded
def create(  # noqa: PLR0913 - one parameter per option
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="First event time, as RFC 3339.")
    ],
    end: Annotated[
        str, typer.Option("--to", metavar="TIME", help="Event time that it ends before.")
    ],
    model: ModelOption = None,
    segment: SegmentOption = None,
    scorer: ScorerOption = None,
    against: AgainstOption = None,
    table: Annotated[
        Path | None,
        typer.Option(help="A Delta table with the columns of `scores`, in place of the job's own."),
    ] = None,
    seasonal: Annotated[
        bool | None,
        typer.Option(
            "--seasonal/--flat", help="Hours of the day apart, or not; as configured when absent."
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Freeze the scores of a period as a baseline of each series that has some.

    It is not in force before it is promoted. Safe while the job runs. Exit 1 when there are none.
    """
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.pipeline import frozen_baselines as frozen
    from streaming_eval.pipeline.job_tables import existing_tables
    from streaming_eval.pipeline.plan import monitor_plan
    from streaming_eval.pipeline.stored_baseline import baselines_table

    period = frozen.Period(instant_ms("--from", begin), instant_ms("--to", end))
    now_ms = time.time_ns() // 1_000_000
    if period.from_ms >= period.to_ms:
        raise typer.BadParameter("--from must be before --to")
    if period.to_ms > now_ms - settings.monitor.label_maturity:
        raise typer.BadParameter("--to: the period must be over, and monitor.label_maturity past")
    tables, plan = existing_tables(settings.storage), monitor_plan(settings)
    chosen = frozen.Chosen(model, segment, scorer, against)
    with busy("Counting scores ..."):
        own = table is None
        scores = frozen.scores_in(table, period) if table else frozen.scores_of(tables, period)
        made = frozen.frozen_baselines(
            scores, plan, chosen, period, seasonal=seasonal, source="scores" if own else str(table)
        )
    if not made:
        say_error("error: no series of this configuration has scores there")
        raise typer.Exit(EXIT_FAILURE)
    rows = baselines_table(made, None, now_ms)
    tables.append_untracked("baselines", rows)
    ids = {one.baseline_id for one in made}
    from streaming_eval.pipeline.ledger_views import baselines

    _say([v for v in baselines(tables, plan, chosen) if v.row["baseline_id"] in ids], output)


@baseline_app.command("list")
@guarded
def list_(  # noqa: PLR0913 - one parameter per option
    model: ModelOption = None,
    segment: SegmentOption = None,
    scorer: ScorerOption = None,
    against: AgainstOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """List baselines: those that series collected themselves, and those that people made."""
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.pipeline.frozen_baselines import Chosen
    from streaming_eval.pipeline.job_tables import existing_tables
    from streaming_eval.pipeline.ledger_views import baselines
    from streaming_eval.pipeline.plan import monitor_plan

    tables, plan = existing_tables(settings.storage), monitor_plan(settings)
    _say(baselines(tables, plan, Chosen(model, segment, scorer, against)), output)


@baseline_app.command("show")
@guarded
def show(
    baseline: Annotated[str, typer.Argument(help="Id of the baseline.")],
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Show one baseline: counts, bounds, and how many scores it lacks."""
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.pipeline.frozen_baselines import Chosen
    from streaming_eval.pipeline.job_tables import existing_tables
    from streaming_eval.pipeline.ledger_views import baselines
    from streaming_eval.pipeline.plan import monitor_plan

    tables, plan = existing_tables(settings.storage), monitor_plan(settings)
    found = [v for v in baselines(tables, plan, Chosen()) if v.row["baseline_id"] == baseline]
    if not found:
        say_error(f"error: there is no baseline {baseline}; `baseline list` shows them")
        raise typer.Exit(EXIT_FAILURE)
    if output is Output.JSON:
        say_json(_document(found[0]))
        return
    _say(found, output)
    say(_standing(found[0]))


@baseline_app.command("promote")
@guarded
def promote(
    baseline: Annotated[list[str], typer.Argument(help="Ids of baselines, of different series.")],
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Put baselines in force: evidence begins anew, an open alert of the series is resolved.

    A running job takes it with its next micro-batch, a stopped one when it starts.
    """
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.pipeline import decision_desk
    from streaming_eval.pipeline.job_tables import existing_tables
    from streaming_eval.pipeline.plan import monitor_plan

    signed = signature(by, reason)
    tables, plan = existing_tables(settings.storage), monitor_plan(settings)
    for one in baseline:
        row = decision_desk.promote(tables, plan, one, signed)
        say(f"promoted {one} for {series_text(row)}")


def _say(views: list[BaselineView], output: Output) -> None:
    if output is Output.JSON:
        say_json([_document(view) for view in views])
    else:
        say_table(_HEAD, [_row(view) for view in views])


def _document(view: BaselineView) -> dict[str, Any]:
    standing = {"in_force": view.in_force, "missing": view.missing, "bounds": list(view.bounds)}
    return plain(view.row) | standing


def _row(view: BaselineView) -> tuple[str, ...]:
    row = view.row
    status = "in force" if view.in_force else "replaced" if row["version"] else "created"
    return (
        row["baseline_id"],
        series_text(row),
        f"{row['n']:,}",
        f"{row['mean']:.4g}",
        status,
        str(row["version"] or ""),
        f"{row['period_start']:%Y-%m-%dT%H:%MZ} to {row['period_end']:%Y-%m-%dT%H:%MZ}",
        row["promoted_by"] or "",
        row["reason"] or "",
    )


def _standing(view: BaselineView) -> str:
    if view.missing is None:
        return "Its series is not part of this configuration."
    bounds = ", ".join(f"{bound:.4g}" for bound in view.bounds)
    of = "hour of the day" if len(view.bounds) > 1 else "mean"
    lines = [f"Bound of the {of} that the alarm starts from: {bounds}"]
    if view.missing:
        lines.append(
            f"It lacks {view.missing:,} of {view.missing + view.row['n']:,} scores: in force, it "
            "leaves the series insufficient."
        )
    return "\n".join(lines)
