"""Write every board to `grafana/dashboards/`: `python -m grafana.build`."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.drift import UID as DRIFT
from grafana.drift import drift
from grafana.inference import UID as INFERENCE
from grafana.inference import inference
from grafana.overview import UID as OVERVIEW
from grafana.overview import overview

DASHBOARDS = Path(__file__).parent / "dashboards"


def rendered() -> dict[str, str]:
    """File name to JSON text of every board."""
    boards = {OVERVIEW: overview(), DRIFT: drift(), INFERENCE: inference()}
    return {f"{uid}.json": _text(board) for uid, board in boards.items()}


def _text(board: Dashboard) -> str:
    # The SDK leaves an unset id out; null says that the Grafana which loads the board numbers it.
    values = json.loads(JSONEncoder().encode(board)) | {"id": None}
    return json.dumps(values, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write every board."""
    for name, text in rendered().items():
        (DASHBOARDS / name).write_text(text)


if __name__ == "__main__":
    main()
