"""The options that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streaming_eval.cli.guard import log_more
from streaming_eval.cli.output import Output

if TYPE_CHECKING:
    from streaming_eval.settings import Settings

DEFAULT_CONFIG = Path("streaming-eval.yaml")

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="STREAMING_EVAL_CONFIG", help="Configuration file (YAML)."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting above file and environment; repeatable."
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Form of the answer.")]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", callback=log_more, help="More log lines; tracebacks of errors."
    ),
]


def settings_from(config: Path, changes: Sequence[str] | None, *, strict: bool) -> Settings:
    """The settings that a verb's options ask for.

    Raises:
        SettingsError: see `load_settings`.
    """
    from streaming_eval.configuration import load_settings

    return load_settings(config, dict(map(_pair, changes or ())), strict=strict)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE, such as monitor.alpha=0.01")
    return key.strip(), value
