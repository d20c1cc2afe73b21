"""The verb that makes the centroids of a scorer of cells."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from streaming_eval.cli.deciding import instant_ms
from streaming_eval.cli.guard import EXIT_FAILURE, guarded
from streaming_eval.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    SetOption,
    VerboseOption,
    settings_from,
)
from streaming_eval.cli.output import busy, say, say_error

centroids_app = typer.Typer(
    no_args_is_help=True, help="What `embedding_cell` tells apart: cells of similar texts."
)
_DEFAULT_CELLS, _MOST_CELLS = 32, 64


@centroids_app.callback()
def _group() -> None:
    """What `embedding_cell` tells apart: cells of similar texts."""


@centroids_app.command("fit")
@guarded
def fit(  # noqa: PLR0913 - one parameter per option
    scorer: Annotated[str, typer.Option(help="Name of a scorer of kind embedding_cell.")],
    file: Annotated[
        Path, typer.Option("--output", "-o", help="File to write; one that exists is refused.")
    ],
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="First event time, as RFC 3339."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Event time that it ends before.")
    ] = None,
    cells: Annotated[
        int, typer.Option(min=2, max=_MOST_CELLS, help="How many cells.")
    ] = _DEFAULT_CELLS,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Fit centroids on vectors of the past, which a scorer of embeddings has asked for.

    Safe while the job runs, which goes on with what it was started with. Exit 1 when there are
    too few vectors.
    """
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.adapters.centroid_file import write_centroids
    from streaming_eval.pipeline.bound_scorers import origin_of
    from streaming_eval.pipeline.frozen_baselines import Period
    from streaming_eval.pipeline.job_tables import existing_tables
    from streaming_eval.pipeline.past_vectors import past_vectors
    from streaming_eval.settings import ScorerKind
    from streaming_eval.stats.centroids import CentroidCells

    mine = next((s for s in settings.scorers if s.label == scorer), None)
    if mine is None or mine.embedding is None or mine.kind is not ScorerKind.EMBEDDING_CELL:
        raise typer.BadParameter(f"--scorer: {scorer!r} is no scorer of kind embedding_cell")
    first = 0 if begin is None else instant_ms("--from", begin)
    last = time.time_ns() // 1_000_000 if end is None else instant_ms("--to", end)
    origin = origin_of(mine, mine.embedding)
    with busy("Reading vectors ..."):
        vectors = past_vectors(existing_tables(settings.storage), origin, Period(first, last))
    if len(vectors) < cells:
        say_error(
            f"error: {len(vectors)} vectors of {origin.text}s there, too few for {cells} cells: "
            "let the job run with this scorer first, or choose a longer period"
        )
        raise typer.Exit(EXIT_FAILURE)
    with busy("Fitting centroids ..."):
        digest = write_centroids(file, CentroidCells.fit(vectors, cells), origin, len(vectors))
    say(f"{file}: {cells} centroids of {len(vectors):,} vectors ({digest})")
