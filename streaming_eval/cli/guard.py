"""How any verb ends: the errors that people can act upon become one message and an exit code."""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable
from typing import ParamSpec

import typer

from streaming_eval.cli.output import say_error
from streaming_eval.errors import SettingsError, StreamingEvalError

EXIT_FAILURE = 1
EXIT_USAGE = 2

P = ParamSpec("P")
_LOGGER = logging.getLogger("streaming_eval")


def guarded(verb: Callable[P, None]) -> Callable[P, None]:
    """The verb with our errors printed; anything else is a bug and keeps its traceback.

    Ctrl-C needs nothing here: Typer ends with exit code 130.
    """

    @functools.wraps(verb)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            verb(*args, **kwargs)
        except StreamingEvalError as error:
            if _LOGGER.isEnabledFor(logging.DEBUG):
                say_error("".join(traceback.format_exception(error)))
            say_error(_message(error))
            code = EXIT_USAGE if isinstance(error, SettingsError) else EXIT_FAILURE
            raise typer.Exit(code) from None

    return wrapped


def start_logging(verbose: bool) -> None:
    """Our log lines go to standard error, from INFO upwards; those of libraries from WARNING."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _LOGGER.setLevel(logging.INFO)
    log_more(verbose)


def log_more(verbose: bool) -> bool:
    """What `-v` does, before or after the verb; Typer takes what is returned as the value."""
    if verbose:
        _LOGGER.setLevel(logging.DEBUG)
    return verbose


def _message(error: StreamingEvalError) -> str:
    # Configuration errors are lines of `file:line: key: ...` already, which editors can jump to.
    lines = str(error)
    return lines if isinstance(error, SettingsError) else "error: " + " ".join(lines.split())
