"""How far a job has come, as its files and its endpoint tell: no help from the job itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.pipeline import monitor_query, score_query

NOTHING = -1


@dataclass(frozen=True, slots=True)
class Progress:
    """What lies on the disk at one moment; numbers of batches and versions, -1 for none.

    Attributes:
        score_started: whether the score query has its identity, which is its first file.
        score_planned: newest batch of the score query in its offset log.
        score_done: newest batch in its commit log.
        answers: newest version of `responses`.
        spooled_bytes: answers that are not in `responses` yet.
        in_flight: calls that the endpoint is answering.
    """

    score_started: bool
    score_planned: int
    score_done: int
    monitor_planned: int
    monitor_done: int
    answers: int
    scores: int
    estimates: int
    spooled_bytes: int
    in_flight: int

    @property
    def scoring(self) -> bool:
        """Whether a batch of the score query is under way."""
        return self.score_planned > self.score_done

    @property
    def monitoring(self) -> bool:
        """Whether a batch of the monitor query is under way."""
        return self.monitor_planned > self.monitor_done


def progress(root: Path, endpoint: RecordedEndpoint) -> Progress:
    """What a storage root and its job's endpoint show now."""
    score, monitor = (checkpoint(root, q) for q in (score_query.QUERY, monitor_query.QUERY))
    return Progress(
        score_started=(score / "metadata").exists(),
        score_planned=_newest(score / "offsets"),
        score_done=_newest(score / "commits"),
        monitor_planned=_newest(monitor / "offsets"),
        monitor_done=_newest(monitor / "commits"),
        answers=_version(root, "responses"),
        scores=_version(root, "scores"),
        estimates=_version(root, "estimates"),
        spooled_bytes=sum(_size(path) for path in (root / "spool").glob("*/*")),
        in_flight=int(endpoint.stats()["in_flight"]),
    )


def checkpoint(root: Path, query: str) -> Path:
    """Where a query of the job keeps its logs and state."""
    return root / "checkpoints" / query


def _newest(log: Path) -> int:
    return max((int(name) for name in _names(log) if name.isdigit()), default=NOTHING)


def _version(root: Path, table: str) -> int:
    log = root / "tables" / table / "_delta_log"
    commits = (name.removesuffix(".json") for name in _names(log) if name.endswith(".json"))
    return max((int(name) for name in commits if name.isdigit()), default=NOTHING)


def _names(directory: Path) -> list[str]:
    try:
        return [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
