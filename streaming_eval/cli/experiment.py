"""Verbs for experiments: open one before its samples come, close it, look at all."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streaming_eval.cli.compare import named_models, segment_pair
from streaming_eval.cli.guard import EXIT_FAILURE, guarded
from streaming_eval.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    OutputOption,
    SetOption,
    VerboseOption,
    settings_from,
)
from streaming_eval.cli.output import Output, busy, say_json, say_table
from streaming_eval.cli.wishes import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streaming_eval.adapters.experiment_log import ExperimentLog
    from streaming_eval.results.comparing import ScorerVerdict
    from streaming_eval.results.experiment import Experiment
    from streaming_eval.settings import Settings

experiment_app = typer.Typer(
    no_args_is_help=True,
    help="Comparisons without an end to their number, few of whose finds are false.",
)

_HEAD = ("place", "experiment", "status", "question", "pairs", "log evidence", "needed", "since")
_STYLES = {True: "bold", False: "", None: "dim"}

NameArgument = Annotated[str, typer.Argument(help="Name of the experiment.")]


@experiment_app.command("open")
@guarded
def open_(  # noqa: PLR0913 - one parameter per argument and option
    name: NameArgument,
    candidate: Annotated[str, typer.Argument(help="The model that is asked about.")],
    against: Annotated[
        str, typer.Argument(help="The other model, or `production` for all production models.")
    ],
    claim: Annotated[Shown, typer.Option(help="What is to be shown of it.")] = Shown.WORSE,
    scorer: Annotated[str | None, typer.Option(help="Only by this scorer.")] = None,
    segment: Annotated[
        str | None,
        typer.Option(metavar="NAME=VALUE", help="Only samples with this value of this segment."),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            help="Share of false finds among all finds, at most and on average. Fixed by the first "
            "experiment; monitor.alpha when absent there."
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Give an experiment its place in the stream; only samples from now on count.

    Again with the same question it changes nothing.
    """
    segment_pair(segment)
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.pipeline.score_rows import instant
    from streaming_eval.results import experiments as stream
    from streaming_eval.results.experiment import Claim, Question

    log = _log(settings)
    known = stream.experiments(log)
    against_models = named_models(against, settings)
    question = Question(candidate, against_models, Claim(claim.value), scorer, segment)
    fixed = alpha if alpha is not None or known else settings.monitor.alpha
    stream.open_experiment(log, name, question, fixed, instant(time.time_ns() // 1_000_000))
    _say(settings, [name], output)


@experiment_app.command("close")
@guarded
def close(
    name: NameArgument,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be decided, and record nothing.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Decide an experiment, once; a closed one is shown as it was decided.

    Exit 1 when the candidate was found to be worse, or was not found to be better.
    """
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.pipeline.score_rows import instant
    from streaming_eval.results.experiments import close_experiment

    def compared(one: Experiment) -> Sequence[ScorerVerdict]:
        return _compared(settings, one)

    now = instant(time.time_ns() // 1_000_000)
    with busy("Reading the scores ..."):
        closed = close_experiment(_log(settings), name, compared, now, dry_run=dry_run)
    _show([_document(closed, None)], output)
    if not closed.passed:
        raise typer.Exit(EXIT_FAILURE)


@experiment_app.command("list")
@guarded
def list_(
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """List all experiments in order; of an open one, which evidence it would need now."""
    _say(settings_from(config, changes, strict=False), None, output)


def _log(settings: Settings) -> ExperimentLog:
    from streaming_eval.adapters.experiment_log import ExperimentLog
    from streaming_eval.pipeline.job_tables import existing_tables

    return ExperimentLog(existing_tables(settings.storage))


def _compared(settings: Settings, one: Experiment) -> Sequence[ScorerVerdict]:
    from streaming_eval.adapters.score_pairs import Wanted
    from streaming_eval.results.comparing import compare_models

    asked = one.question
    since_ms = round(one.opened_at.timestamp() * 1_000)
    segment = segment_pair(asked.segment)
    wanted = Wanted(asked.candidate, asked.against, asked.scorer, segment, since_ms)
    monitor = settings.monitor
    return compare_models(
        settings.storage.root, wanted, monitor.alpha, monitor.expected_samples_per_window
    )


def _say(settings: Settings, names: Sequence[str] | None, output: Output) -> None:
    from streaming_eval.results.experiments import experiments, needed

    known = experiments(_log(settings))
    chosen = [each for each in known if names is None or each.name in names]
    _show([_document(each, needed(known, each)) for each in chosen], output)


def _document(one: Experiment, needed_now: float | None) -> dict[str, Any]:
    """An experiment as JSON holds it.

    Args:
        one: the experiment.
        needed_now: log evidence that it would need now, where it is open.
    """
    found = one.outcome
    outcome = {"log_needed": needed_now} if found is None else asdict(found)
    closed_at = None if one.closed_at is None else one.closed_at.isoformat()
    return {
        "experiment": one.name,
        "place": one.place,
        **asdict(one.question),
        "alpha": one.alpha,
        "opened_at": one.opened_at.isoformat(),
        "closed_at": closed_at,
        **outcome,
    }


def _show(documents: Sequence[dict[str, Any]], output: Output) -> None:
    if output is Output.JSON:
        say_json(documents)
        return
    styles = [_STYLES[each.get("found")] for each in documents]
    say_table(_HEAD, [_row(each) for each in documents], styles)


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    asked = f"{each['candidate']} {each['claim']} than {' or '.join(each['against'])}"
    if each["scorer"]:
        asked += f" by {each['scorer']}"
    if each["segment"]:
        asked += f" where {each['segment']}"
    status = {True: "found", False: "not found", None: "open"}[each.get("found")]
    pairs = f"{each['pairs']:,}" if "pairs" in each else ""
    evidence = f"{each['log_evidence']:.2f}" if "log_evidence" in each else ""
    needed, since = f"{each['log_needed']:.2f}", each["opened_at"]
    return (str(each["place"]), each["experiment"], status, asked, pairs, evidence, needed, since)
