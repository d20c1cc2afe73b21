"""A fleet whose judge is held against people."""

from __future__ import annotations

import json
from pathlib import Path

from streaming_eval.settings import Settings
from tests.pipeline.fleet import settings

LABEL = "helpful:anchors"


def anchors_file(directory: Path, grades: tuple[int, ...] = (1, 2, 3)) -> Path:
    """A file of anchors, their responses being the grade that people gave."""
    path = directory / "anchors.jsonl"
    lines = [
        {"id": f"a{n}", "prompt": "Why?", "response": f"Because {grade}.", "grade": grade}
        for n, grade in enumerate(grades)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def judged(
    directory: Path,
    *,
    base_url: str = "http://127.0.0.1:9/v1",
    anchors: dict[str, object] | None = None,
    grades: tuple[int, ...] = (1, 2, 3),
    **changes: object,
) -> Settings:
    """One judge and one production model; `anchors` are settings beside the file."""
    asked = {"endpoint": "models", "model": "org/judge", "rubric": "Is it right?"}
    held = {"file": str(anchors_file(directory, grades)), **(anchors or {})}
    return settings(
        **{
            "endpoints": {"models": {"base_url": base_url}},
            "candidates": [],
            "comparisons": [],
            "scorers": [{"kind": "judge", "name": "helpful", "judge": asked | {"anchors": held}}],
            **changes,
        }
    )


def unheld(fleet: Settings) -> Settings:
    """The same fleet without anchors."""
    document = fleet.model_dump(mode="json", exclude_none=True)
    for scorer in document["scorers"]:
        scorer["judge"].pop("anchors", None)
    return Settings.model_validate(document)
