"""Where the parts of one job's cache lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from streaming_eval.errors import StorageError


@dataclass(frozen=True, slots=True)
class CachePlaces:
    """The directories that a look after the cache goes through.

    Attributes:
        root: the job's storage root.
        shared: the answers' table where it lies outside the root, to be used by several jobs.
    """

    root: Path
    shared: Path | None = None

    @property
    def responses(self) -> Path:
        """The answers, a Delta table."""
        return self.shared or self.root / "tables" / "responses"

    @property
    def scores(self) -> Path:
        """The scores that were computed from them, a Delta table."""
        return self.root / "tables" / "scores"

    @property
    def spool(self) -> Path:
        """Answers that are not in the table yet."""
        return self.root / "spool"

    @property
    def index(self) -> Path:
        """This host's index of the answers, but for its generation."""
        return self.root / "index" / "responses.sqlite"

    @property
    def monitor(self) -> Path:
        """The checkpoint of the query that reads the scores."""
        return self.root / "checkpoints" / "monitor"

    def has_scores(self) -> bool:
        """Whether anything was ever scored from this cache."""
        return DeltaTable.is_deltatable(str(self.scores))

    def check(self) -> None:
        """Makes sure that there is a cache.

        Raises:
            StorageError: no job has made one here yet.
        """
        if not DeltaTable.is_deltatable(str(self.responses)):
            raise StorageError(
                f"there is no cache under {self.root}: {self.responses} is no Delta table; "
                "storage.root says where it is looked for"
            )
