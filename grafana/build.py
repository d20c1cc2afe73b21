"""Write every board to `grafana/dashboards/`: `python -m grafana.build`."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.overview import UID, overview

DASHBOARDS = Path(__file__).parent / "dashboards"


def rendered() -> dict[str, str]:
    """File name to JSON text of every board."""
    board = json.loads(JSONEncoder().encode(overview()))
    # The SDK leaves an unset id out; null says that the Grafana which loads the board numbers it.
    return {f"{UID}.json": json.dumps(board | {"id": None}, indent=2, sort_keys=True) + "\n"}


def main() -> None:
    """Write every board."""
    for name, text in rendered().items():
        (DASHBOARDS / name).write_text(text)


if __name__ == "__main__":
    main()
