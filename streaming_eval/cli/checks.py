"""Verbs that look and change nothing: is the configuration right, is everything there?"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streaming_eval.cli.guard import EXIT_FAILURE
from streaming_eval.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    OutputOption,
    SetOption,
    VerboseOption,
    settings_from,
)
from streaming_eval.cli.output import Output, busy, say, say_error, say_json, say_table
from streaming_eval.errors import SettingsError

if TYPE_CHECKING:
    from streaming_eval.settings import Settings

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def validate(
    file: Annotated[
        Path | None, typer.Argument(help="Configuration file; the same as --config.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Also: every secret that is named must be there.")
    ] = False,
    print_effective: Annotated[
        bool,
        typer.Option("--print-effective", help="Print all settings in force, secrets masked."),
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Check a configuration; every error at once, with its line. Exit 2 when it has any.

    What is allowed and seldom wise is a warning on standard error.
    """
    settings = settings_from(file or config, changes, strict=strict)
    verdict = [f"{file or config}: valid, {_extent(settings)}", *_alarms(settings)]
    from streaming_eval.pipeline.plan_warnings import warnings

    if print_effective:
        from streaming_eval.configuration import effective_yaml

        # The verdict as a comment: what is printed is a configuration itself.
        verdict = [*(f"# {line}" for line in verdict), effective_yaml(settings).rstrip()]
    say("\n".join(verdict))
    for warning in warnings(settings):
        say_error(f"warning: {warning}")


def doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Check that this machine, Kafka and the endpoints are ready to run a configuration.

    Exit 1 when something fails.
    """
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.local.doctor import Status, examine

    with busy("Looking at machine, Kafka and endpoints ..."):
        findings = examine(settings, os.environ)
    if output is Output.JSON:
        say_json([asdict(finding) for finding in findings])
    else:
        rows = [(f.status.value, f.check, f.detail, f.remedy) for f in findings]
        styles = [_STYLES[finding.status.value] for finding in findings]
        say_table(("", "check", "found", "what to do"), rows, styles)
    if any(finding.status is Status.FAIL for finding in findings):
        raise typer.Exit(EXIT_FAILURE)


def _extent(settings: Settings) -> str:
    """How much the configuration asks for.

    Raises:
        SettingsError: more series than are kept are possible; `run` would refuse it too.
    """
    from streaming_eval.pipeline.plan import evaluation_plan, monitor_plan
    from streaming_eval.pipeline.series_counts import series_limit

    models = len(settings.production_models) + len(settings.candidates)
    series, most = series_limit(settings), settings.monitor.max_series
    if series > most:
        raise SettingsError(
            f"monitor.max_series: got {most}, {series} series are possible; allowed: at least "
            f"{series}, or fewer models, comparisons, scorers or segment values"
        )
    evaluation_plan(settings)
    monitor_plan(settings)
    return f"models: {models}, scorers: {len(settings.scorers)}, series: at most {series}"


def _alarms(settings: Settings) -> list[str]:
    """What the false-alarm budget comes to, in sentences."""
    from streaming_eval.pipeline.plan import monitor_plan
    from streaming_eval.pipeline.series_counts import alarmed_series
    from streaming_eval.settings import duration_text
    from streaming_eval.stats.fleet_budget import MONTH_MS, FleetBudget

    if not alarmed_series(settings):
        return ["alarms: none, no scorer raises any"]
    monitor, own = settings.monitor, monitor_plan(settings).own
    budget = FleetBudget(monitor.false_alarms.once_per / monitor.pane, total_weight=1.0)
    a_month = MONTH_MS / monitor.pane
    thresholds = ", ".join(
        f"{s.label} {own[s.label].log_threshold:.1f}" for s in settings.scorers if s.raises_alerts
    )
    return [
        f"alarms: at most {alarmed_series(settings)} share a budget of one false alarm per "
        f"{duration_text(monitor.false_alarms.once_per)}; in 30 days at most "
        f"{budget.expected_false_alarms(a_month):.2g} are false on average, "
        f"any at all with probability at most {budget.chance_of_any(a_month):.2g}",
        f"alarms: log evidence needed per scorer: {thresholds}",
    ]
