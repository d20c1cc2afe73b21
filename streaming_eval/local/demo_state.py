"""What a demo must remember from one run to the next on the same state directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from streaming_eval.local.sample_replay import Swap


@dataclass(frozen=True, slots=True)
class DemoState:
    """How far earlier runs came.

    Attributes:
        runs: how many runs there were before.
        produced: samples sent by all of them.
        swap: when production changed its model; `after_samples` counts over all runs.
    """

    runs: int = 0
    produced: int = 0
    swap: Swap | None = None

    @classmethod
    def load(cls, directory: Path) -> DemoState:
        """The state kept in `directory`; a fresh one where there is none."""
        path = _file(directory)
        if not path.exists():
            return cls()
        content = json.loads(path.read_text())
        swap = content.pop("swap")
        return cls(**content, swap=Swap(**swap) if swap else None)

    def save(self, directory: Path) -> None:
        """Keeps the state in `directory`, whole or not at all."""
        partial = _file(directory).with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(_file(directory))


def _file(directory: Path) -> Path:
    return directory / "demo.json"
