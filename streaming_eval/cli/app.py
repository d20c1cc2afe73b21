"""All verbs in one place."""

from __future__ import annotations

from typing import Annotated

import typer

from streaming_eval.cli.alerts import alerts_app
from streaming_eval.cli.baseline import baseline_app
from streaming_eval.cli.cache import cache_app
from streaming_eval.cli.centroids import centroids_app
from streaming_eval.cli.checks import doctor, validate
from streaming_eval.cli.compare import compare
from streaming_eval.cli.experiment import experiment_app
from streaming_eval.cli.guard import guarded, start_logging
from streaming_eval.cli.jobs import demo, run
from streaming_eval.cli.options import VerboseOption
from streaming_eval.cli.reference import schema_app, version, version_and_exit
from streaming_eval.cli.simulate import simulate

app = typer.Typer(
    name="streaming-eval",
    no_args_is_help=True,
    # Rich's tracebacks would show the values of local variables, secrets among them.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    verbose: VerboseOption = False,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=version_and_exit, is_eager=True, help="Same as the verb version."
        ),
    ] = False,
) -> None:
    """Has the quality of your LLM product really got worse, for whom, and since when?

    Evaluates production samples from Kafka as they come and raises statistically sound alerts.
    """
    start_logging(verbose)


for verb in (demo, run, validate, doctor, simulate, compare, version):
    app.command()(guarded(verb))
app.add_typer(alerts_app, name="alerts")
app.add_typer(baseline_app, name="baseline")
app.add_typer(cache_app, name="cache")
app.add_typer(centroids_app, name="centroids")
app.add_typer(experiment_app, name="experiment")
app.add_typer(schema_app, name="schema")


def main() -> None:
    """The entry point: ends the process with the verb's exit code."""
    app(prog_name="streaming-eval")
