"""Verbs that print what the program knows of itself: versions and formats."""

from __future__ import annotations

import platform
from enum import StrEnum
from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from streaming_eval import versions
from streaming_eval.cli.guard import guarded
from streaming_eval.cli.options import OutputOption, VerboseOption
from streaming_eval.cli.output import Output, say, say_json

schema_app = typer.Typer(no_args_is_help=True, help="Formats that this program reads.")


class Format(StrEnum):
    """What has a published format."""

    SETTINGS = "settings"
    SAMPLE = "sample"


class Form(StrEnum):
    """How a format is printed."""

    JSON = "json"
    MARKDOWN = "markdown"


@schema_app.command("print")
@guarded
def print_schema(
    what: Annotated[Format, typer.Argument(help="The configuration file, or a sample in Kafka.")],
    form: Annotated[
        Form, typer.Option("--output", "-o", help="JSON Schema, or the reference as Markdown.")
    ] = Form.JSON,
    verbose: VerboseOption = False,
) -> None:
    """Print the JSON Schema (or the reference) of a format."""
    if form is Form.JSON:
        say_json(_settings_schema() if what is Format.SETTINGS else _sample_schema())
    elif what is Format.SAMPLE:
        raise typer.BadParameter("markdown is there for settings only; allowed: json")
    else:
        from streaming_eval.configuration.reference import settings_markdown

        say(settings_markdown().rstrip())


def _settings_schema() -> dict[str, object]:
    from streaming_eval.configuration.schema import settings_schema

    return settings_schema()


def _sample_schema() -> dict[str, object]:
    from streaming_eval.formats.limits import Limits
    from streaming_eval.formats.native_schema import json_schema
    from streaming_eval.settings import LimitSettings

    limits = LimitSettings()
    wanted = {name: getattr(limits, name) for name in Limits.__dataclass_fields__}
    return json_schema(Limits(**wanted))


def version(output: OutputOption = Output.TABLE, verbose: VerboseOption = False) -> None:
    """Print this program's version and those it was tested with."""
    if output is Output.JSON:
        say_json(_versions())
    else:
        say("\n".join(f"{name} {number}" for name, number in _versions().items()))


def version_and_exit(asked: bool) -> None:
    """What `--version` does."""
    if asked:
        version(Output.TABLE)
        raise typer.Exit


def _versions() -> dict[str, str]:
    return {
        "streaming-eval": installed_version("streaming-eval"),
        "python": platform.python_version(),
        "pyspark": versions.SPARK,
        "delta-spark": versions.DELTA,
        "kafka (embedded)": versions.KAFKA,
        "java (at least)": str(versions.JAVA_MINIMUM),
    }
