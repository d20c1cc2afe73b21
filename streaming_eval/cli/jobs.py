"""Verbs that do the work: the demo and the job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streaming_eval.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    SetOption,
    VerboseOption,
    settings_from,
)


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    stop_when_idle: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="End after so long without a new sample, as in 30s."),
    ] = None,
    max_runtime: Annotated[
        str | None, typer.Option(metavar="DURATION", help="End after so long, as in 8h.")
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Evaluate samples from Kafka until told to stop (Ctrl-C or SIGTERM ends it in good order)."""
    idle_s, runtime_s = _seconds(stop_when_idle), _seconds(max_runtime)
    settings = settings_from(config, changes, strict=True)
    from streaming_eval.pipeline.run import run as run_job

    raise typer.Exit(run_job(settings, stop_after_idle_s=idle_s, max_runtime_s=runtime_s))


def demo(
    rate: Annotated[
        float | None,
        typer.Option(min=1, help="Samples per second, in place of the demo's own rate."),
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(help="Where state is kept; a second run on it goes on where the first ended."),
    ] = None,
    summary: Annotated[Path | None, typer.Option(help="Write the closing summary as JSON.")] = None,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Go on after the alert, until Ctrl-C.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the draw of samples.")] = 0,
    verbose: VerboseOption = False,
) -> None:
    """Watch a regression being detected: real Kafka, Spark, Delta and Prometheus, all local.

    Exit 0 when it was detected and nothing else raised an alert.
    """
    from streaming_eval.local.demo import DemoOptions, run_demo

    raise typer.Exit(run_demo(DemoOptions(rate, state_dir, summary, keep_running, seed)))


def _seconds(duration: str | None) -> float | None:
    from streaming_eval.settings import duration_ms

    try:
        milliseconds = duration_ms(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return None if milliseconds is None else float(str(milliseconds)) / 1_000
