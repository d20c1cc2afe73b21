"""The other side of `marked_series`, run by the interpreter of an environment that holds river.

`series` prints the marked series as JSON; `detect` reads {name: values} as JSON and prints, by
detector and name, after how many values each detection came.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence

from river import drift
from river.drift import datasets

# Data set, column, and how the people who marked it had thinned it: first date, every so many rows.
_SERIES: tuple[tuple[str, str, str, int], ...] = (
    ("AirlinePassengers", "Total Passengers", "", 1),
    ("Apple", "Close", "", 3),
    ("Bitcoin", "price", "", 1),
    ("BrentSpotPrice", "DPB", "2000", 10),
    ("Occupancy", "V4", "", 1),
    ("RunLog", "Pace", "", 1),
    ("UKCoalEmploy", "Employment", "", 1),
)
_DETECTORS: dict[str, Callable[[], object]] = {
    "ADWIN": drift.ADWIN,
    "Page-Hinkley": drift.PageHinkley,
    "Page-Hinkley, threshold 5": lambda: drift.PageHinkley(threshold=5.0),
}


def _series(name: str, column: str, since: str, every: int) -> dict[str, object]:
    data = getattr(datasets, name)()
    with open(data.path, newline="") as file:  # noqa: PTH123 - river gives what open takes
        rows = list(csv.DictReader(file))
    when = next(iter(rows[0]))
    chosen = [row for row in rows if not since or _year(row[when]) >= since][::every]
    return {"values": [float(row[column]) for row in chosen], "marks": data.annotations}


def _year(date: str) -> str:
    return date.split("/")[-1]


def _detections(make: Callable[[], object], values: Sequence[float]) -> list[int]:
    detector = make()
    found = []
    for n, value in enumerate(values, start=1):
        detector.update(value)  # type: ignore[attr-defined]
        if detector.drift_detected:  # type: ignore[attr-defined]
            found.append(n)
    return found


def main() -> None:
    """Answers one of the two questions."""
    if sys.argv[1] == "series":
        answer: object = {spec[0]: _series(*spec) for spec in _SERIES}
    else:
        streams = json.load(sys.stdin)
        answer = {
            label: {name: _detections(make, values) for name, values in streams.items()}
            for label, make in _DETECTORS.items()
        }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
