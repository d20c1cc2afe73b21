"""What verbs print: rich on a terminal, plain text elsewhere and with NO_COLOR."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum

import typer


class Output(StrEnum):
    """The forms in which a verb that only reads can answer."""

    TABLE = "table"
    JSON = "json"


def say(text: str) -> None:
    """One or more lines on standard output, as they are."""
    typer.echo(text)


def say_error(text: str) -> None:
    """One or more lines on standard error, as they are."""
    typer.echo(text, err=True)


def say_json(value: object) -> None:
    """A value as indented JSON."""
    say(json.dumps(value, indent=2, ensure_ascii=False))


def busy(text: str) -> AbstractContextManager[object]:
    """Shows that something takes its time, where somebody is watching."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(text)


@contextmanager
def progress(every_s: float = 5.0) -> Iterator[Callable[[str, float], None]]:
    """A function to be told what is being done and which share of it: a bar on standard error.

    Args:
        every_s: where no terminal is, a plain line says it, at most once in so many seconds.
    """
    if not sys.stderr.isatty():
        yield _Lines(every_s)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def tell(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0)
            bars.update(tasks[what], completed=share)

        yield tell


class _Lines:
    """Progress as lines, none of them before the first `every_s` seconds."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._told = time.monotonic()

    def __call__(self, what: str, share: float) -> None:
        now = time.monotonic()
        if now - self._told >= self._every_s:
            self._told = now
            say_error(f"{what}: {share:.0%}")


def say_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()
) -> None:
    """A table for people; where no terminal is, lines that tools can cut.

    Args:
        header: column titles.
        rows: texts; each as long as the header.
        styles: rich style of each row; none when empty.
    """
    if not sys.stdout.isatty():
        for row in rows:
            say("  ".join(cell for cell in row if cell))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for title in header:
        table.add_column(title, overflow="fold")
    for row, style in zip(rows, styles or [""] * len(rows), strict=True):
        table.add_row(Text(row[0], style=style), *(Text(cell) for cell in row[1:]))
    Console().print(table)
