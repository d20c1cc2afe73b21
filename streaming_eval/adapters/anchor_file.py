"""The file in which an operator keeps what people have graded."""

from __future__ import annotations

from pathlib import Path

from streaming_eval.errors import SettingsError
from streaming_eval.formats.anchors import parse_anchors
from streaming_eval.records import Anchor


def read_anchors(path: Path, low: int, high: int) -> tuple[Anchor, ...]:
    """The anchors in a file, for a judge that grades from `low` to `high`.

    Raises:
        SettingsError: it cannot be read, or a line is no anchor; names file and line.
    """
    try:
        return parse_anchors(path.read_bytes(), low, high)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from None
