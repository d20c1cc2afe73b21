"""What the verbs for baselines and alerts share: options, and how rows are shown."""

from __future__ import annotations

import getpass
import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streaming_eval.pipeline.decision_desk import Signature

_LONGEST_REASON = 500

ModelOption = Annotated[str | None, typer.Option(help="Series of this model.")]
SegmentOption = Annotated[
    str | None, typer.Option(help="Series of this segment: __all__, or name=value.")
]
ScorerOption = Annotated[str | None, typer.Option(help="Series of this scorer.")]
AgainstOption = Annotated[
    str | None,
    typer.Option(help="Comparisons with this model; '' for models' own series."),
]
ReasonOption = Annotated[str, typer.Option(help="Why, for those who look at it later.")]
ByOption = Annotated[
    str | None, typer.Option(help="Who decides; the user of this terminal when absent.")
]


def signature(by: str | None, reason: str) -> Signature:
    """Who decides now, and why.

    Raises:
        typer.BadParameter: there is no reason, or a long story.
    """
    from streaming_eval.pipeline.decision_desk import Signature

    reason = " ".join(reason.split())
    if not 0 < len(reason) <= _LONGEST_REASON:
        raise typer.BadParameter(f"--reason: say why, in at most {_LONGEST_REASON} characters")
    return Signature(by or getpass.getuser(), reason, time.time_ns() // 1_000_000)


def series_text(row: Mapping[str, Any]) -> str:
    """The series of a row, for people."""
    against = f" against {row['against']}" if row["against"] else ""
    return f"{row['model']} / {row['segment']} / {row['scorer']}{against}"


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON holds it: instants as RFC 3339."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def instant_ms(option: str, text: str) -> int:
    """Epoch milliseconds of an option's value.

    Raises:
        typer.BadParameter: it is no instant.
    """
    from streaming_eval.errors import RecordError
    from streaming_eval.formats.rfc3339 import epoch_ms

    try:
        return epoch_ms(text)
    except RecordError:
        example = "an instant such as 2025-03-01T12:00:00Z"
        raise typer.BadParameter(f"{option}: {text!r} is not {example}") from None
