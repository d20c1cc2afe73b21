"""The configuration that the demo runs with: an ordinary file that anyone could have written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from streaming_eval.local.sample_replay import PRODUCTION_MODEL

WINDOW = "1m"
CANDIDATES = ("llama-2-13b", "llama-2-7b")
RUBRIC = (
    "Grade how well the response answers the question. 3: it states a target answer. "
    "2: it is vague or no target is known. 1: it does not state the target answer."
)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the demo's own services listen."""

    bootstrap_servers: str
    base_url: str
    exporter_port: int


def write_configuration(
    path: Path, root: Path, addresses: Addresses, baseline_samples: int = 5_000
) -> None:
    """Writes the demo's configuration file.

    Args:
        path: of the file.
        root: storage root of the job.
        addresses: of broker, model endpoint and exporter.
        baseline_samples: scores that pin a series' baseline.
    """
    path.write_text(
        "# Written by `streaming-eval demo` at each start.\n"
        + yaml.safe_dump(_document(root, addresses, baseline_samples), sort_keys=False)
    )


def _document(root: Path, addresses: Addresses, baseline_samples: int) -> dict[str, object]:
    return {
        "version": 1,
        "job": "demo",
        "kafka": {"bootstrap_servers": addresses.bootstrap_servers},
        "storage": {"root": str(root)},
        "production_models": [PRODUCTION_MODEL],
        "endpoints": {"recorded": {"base_url": addresses.base_url, "max_in_flight": 64}},
        "candidates": [
            {"name": name, "endpoint": "recorded", "model": name} for name in CANDIDATES
        ],
        "scorers": [
            {"kind": "contains"},
            {"kind": "exact_match"},
            {"kind": "token_f1"},
            {"kind": "latency_ms", "cap_ms": 10_000},
            {
                "kind": "judge",
                "judge": {
                    "endpoint": "recorded",
                    "model": "scripted-judge",
                    "rubric": RUBRIC,
                    "low": 1,
                    "high": 3,
                },
            },
        ],
        "segments": {"source": ["hotpotqa", "squad", "triviaqa"]},
        "comparisons": [
            {
                "candidate": "llama-2-13b",
                "against": "llama-2-7b",
                "baseline": {"kind": "constant", "value": 0},
            },
            {"candidate": "llama-2-13b", "against": "production"},
            {"candidate": "llama-2-7b", "against": "production"},
        ],
        "monitor": {
            "pane": "5s",
            "window": WINDOW,
            "allowed_lateness": "5s",
            "smallest_effect": 0.02,
            "baseline": {"kind": "pinned", "samples": baseline_samples},
            "false_alarms": {"once_per": "1w"},
        },
        "exporter": {"port": addresses.exporter_port},
    }
