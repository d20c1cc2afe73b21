"""Verbs for the cache: what is in it, and how to get something out of it."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

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
    from collections.abc import Sequence
    from pathlib import Path

    from streaming_eval.adapters.cache_places import CachePlaces
    from streaming_eval.adapters.cache_stats import CacheStats
    from streaming_eval.adapters.erasure import Affected

cache_app = typer.Typer(no_args_is_help=True, help="The answers that were paid for.")

OlderThanOption = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="Answers that arrived longer ago than this, as in 30d."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would be removed; change nothing.")
]
NowOption = Annotated[
    bool,
    typer.Option(
        "--now",
        help="Also delete the files that hold it, instead of leaving that to the daily clean-up.",
    ),
]

_LATER = (
    "the files that hold it are deleted by the job's daily clean-up when they have been dead for "
    "7 days, or by --now"
)
_KEY = re.compile(r"[0-9a-f]{64}")


@cache_app.command("stats")
@guarded
def stats(
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Say how many answers there are, how large, from which model, how old."""
    places = _places(config, changes)
    from streaming_eval.adapters.cache_stats import cache_stats

    places.check()
    with busy("Reading the cache ..."):
        found = cache_stats(places.responses)
    if output is Output.JSON:
        say_json(asdict(found))
    else:
        _say_stats(found)


@cache_app.command("prune")
@guarded
def prune(  # noqa: PLR0913 - one parameter per option
    older_than: OlderThanOption = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Answers of this endpoint, by its base URL.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Answers of this model, as the endpoint calls it.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Answers with this revision; '' for those without.")
    ] = None,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Answers that a newer one has replaced.")
    ] = False,
    dry_run: DryRunOption = False,
    now: NowOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Remove answers that are not wanted any more; they are paid for again when asked for.

    Answers to which everything applies that is given, and all replaced ones with --duplicates.
    Safe while jobs run, but for --now.
    """
    before_ms = _before_ms(older_than)
    if not duplicates and all(given is None for given in (older_than, endpoint, model, revision)):
        raise typer.BadParameter(
            "say which answers: --older-than, --endpoint, --model, --revision or --duplicates"
        )
    places = _places(config, changes)
    from streaming_eval.adapters import cache_maintenance as maintenance

    selection = maintenance.Selection(before_ms, endpoint, model, revision)
    with busy("Looking through the cache ..."):
        if dry_run:
            done = maintenance.would_prune(places, selection, duplicates=duplicates)
        else:
            done = maintenance.prune(places, selection, duplicates=duplicates, now=now)
    if output is Output.JSON:
        say_json(asdict(done) | {"dry_run": dry_run})
        return
    verb = "would remove" if dry_run else "removed"
    say(f"{verb} {done.answers:,} answers and {done.superseded:,} that newer ones have replaced")
    if not dry_run and done.answers + done.superseded:
        say(_fate(done.files_deleted))


@cache_app.command("erase")
@guarded
def erase(  # noqa: PLR0913 - one parameter per option
    key: Annotated[
        list[str] | None, typer.Option(help="The answer under this cache key; repeatable.")
    ] = None,
    sample_id: Annotated[
        list[str] | None,
        typer.Option(help="All answers that this sample was scored by; repeatable."),
    ] = None,
    older_than: OlderThanOption = None,
    dry_run: DryRunOption = False,
    now: NowOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Erase answers for good, with the judges' answers and words about them.

    No job may run meanwhile. Scores keep their values. Exit 1 when a sample has no scores.
    """
    wrong = [text for text in key or () if not _KEY.fullmatch(text)]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is no cache key: 64 hexadecimal digits, 0-9 a-f")
    before_ms = _before_ms(older_than)
    if not (key or sample_id or older_than):
        raise typer.BadParameter("say which answers: --key, --sample-id or --older-than")
    places = _places(config, changes)
    from streaming_eval.adapters import erasure

    wanted = erasure.Wanted(tuple(key or ()), tuple(sample_id or ()), before_ms)
    with busy("Looking through the cache ..."):
        if dry_run:
            done = erasure.Erased(erasure.affected(places, wanted), None)
        else:
            done = erasure.erase(places, wanted, now=now)
    _say_erased(done.affected, done.files_deleted, dry_run, output)
    for unknown in done.affected.unknown_samples:
        say_error(f"error: there are no scores of sample {unknown}, so no answers are known for it")
    if done.affected.unknown_samples:
        raise typer.Exit(EXIT_FAILURE)


def _places(config: Path, changes: Sequence[str] | None) -> CachePlaces:
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.adapters.cache_places import CachePlaces

    return CachePlaces(settings.storage.root, settings.storage.responses)


def _before_ms(older_than: str | None) -> int | None:
    """Epoch milliseconds of that long ago."""
    from streaming_eval.settings import duration_ms

    if older_than is None:
        return None
    try:
        age_ms = int(str(duration_ms(older_than)))
    except ValueError as error:
        raise typer.BadParameter(f"--older-than: {error}") from None
    return time.time_ns() // 1_000_000 - age_ms


def _say_stats(found: CacheStats) -> None:
    per_row = "" if found.bytes_per_row is None else f", {found.bytes_per_row:,.0f} per answer"
    say(
        f"{found.rows:,} answers to {found.keys:,} requests, {found.superseded:,} of them replaced "
        f"by newer ones; {found.bytes:,} bytes in {found.files:,} files{per_row}"
    )
    header = ("model", "revision", "endpoint", "answers", "tokens in", "out", "oldest", "newest")
    rows = [
        (
            *(m.model, m.revision, m.endpoint, f"{m.answers:,}"),
            *(f"{m.input_tokens:,}", f"{m.output_tokens:,}", m.oldest, m.newest),
        )
        for m in found.models
    ]
    say_table(header, rows)


def _say_erased(
    reached: Affected, files_deleted: int | None, dry_run: bool, output: Output
) -> None:
    if output is Output.JSON:
        counts = ("answers", "explanations", "other_samples", "unknown_samples")
        say_json(
            {"dry_run": dry_run, "keys": reached.keys.to_pylist()}
            | {name: getattr(reached, name) for name in counts}
            | {"files_deleted": files_deleted}
        )
        return
    verb = "would erase" if dry_run else "erased"
    answers, words = f"{reached.answers:,} answers", f"{reached.explanations:,} scores"
    say(f"{verb} {answers} and the judge's words in {words}")
    if reached.other_samples:
        say(f"{reached.other_samples:,} other samples were scored by the same answers")
    if not dry_run:
        say(_fate(files_deleted))


def _fate(files_deleted: int | None) -> str:
    return _LATER if files_deleted is None else f"deleted {files_deleted:,} files that held it"
