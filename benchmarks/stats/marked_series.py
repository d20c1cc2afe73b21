"""River's series with change points marked by people, beside ADWIN and Page-Hinkley.

The series are part of river's wheel, which is installed into an environment of its own. They are
no quality scores: most have trends and none has independent values, which none of the detectors
expects. Each runs as it comes, and begins anew after a detection; ours takes a new baseline.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from benchmarks.own_environment import own_environment
from benchmarks.report import Report
from benchmarks.stats.recorded import first_alarm
from streaming_eval.alerting import Pane, SeriesPlan, fleet_thresholds
from streaming_eval.pipeline.sample_hash import hash_ids
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Counts, Floats, Scale, to_levels, uniforms

_REQUIREMENTS = ("river==0.26.1",)
_FIRST = 30  # values that make a baseline and its map
_REACH_SD = 4.0  # of the map, to either side of the baseline's mean
_LEVELS = 65
_PER_ALARM = 1_000  # values per false alarm, both directions together
_CLOSE = 5  # marks of different people this close mean the same change
_OURS = "ours"


class _Marked(TypedDict):
    """A series, and who marked which changes in it."""

    values: list[float]
    marks: dict[str, list[int]]


@dataclass(slots=True)
class _Tally:
    """What one detector made of all series."""

    delays: list[int] = field(default_factory=list)
    marks: int = 0
    others: int = 0
    values: int = 0

    def add(self, detections: Sequence[int], marks: Sequence[int], length: int) -> None:
        """The first detection after a mark and before the next finds it; all others are false."""
        self.marks += len(marks)
        self.values += length
        found = 0
        for mark, end in zip(marks, (*marks[1:], length + 1), strict=True):
            after = [n for n in detections if mark < n <= end]
            if after:
                self.delays.append(after[0] - mark)
                found += 1
        self.others += len(detections) - found


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """All seven series, each in both directions; `quick` changes nothing, it takes seconds."""
    told: dict[str, _Marked] = _river("series")
    series = {name: np.array(each["values"]) for name, each in told.items()}
    marks = {name: _agreed(each["marks"]) for name, each in told.items()}
    mapped = {name: _map(values[:_FIRST], values, clip=False) for name, values in series.items()}
    found: dict[str, dict[str, list[int]]] = _river(
        "detect", {name: values.tolist() for name, values in mapped.items()}
    )
    found = {_OURS: {name: _detections(values) for name, values in series.items()}} | found
    for detector, by_series in found.items():
        tally = _Tally()
        for name, detections in by_series.items():
            tally.add(detections, marks[name], len(series[name]))
        _report(detector, tally, report)


def _report(detector: str, tally: _Tally, report: Report) -> None:
    delay = f"{np.median(tally.delays):.0f}" if tally.delays else "none"
    report.add(
        "R3",
        f"{tally.marks} changes marked by two people or more in 7 series, {detector}",
        f"{len(tally.delays)} found, median delay {delay} values; {tally.others} other alarms in "
        f"{tally.values:,} values",
    )


def _agreed(marks: Mapping[str, Sequence[int]]) -> list[int]:
    """Changes that at least two people marked; each where the median of their marks lies."""
    placed = sorted((mark, who) for who, theirs in marks.items() for mark in theirs)
    groups: list[list[tuple[int, str]]] = []
    for mark, who in placed:
        if groups and mark - groups[-1][-1][0] <= _CLOSE:
            groups[-1].append((mark, who))
        else:
            groups.append([(mark, who)])
    agreed = [group for group in groups if len({who for _, who in group}) >= 2]
    middle = [int(np.median([mark for mark, _ in group])) for group in agreed]
    return [mark for mark in middle if mark >= _FIRST]


def _map(first: Floats, values: Floats, *, clip: bool) -> Floats:
    """Values on [0, 1]: the first ones' mean is 1/2, four of their standard deviations the ends."""
    spread = max(float(first.std(ddof=1)), 1e-9)
    unit = 0.5 + (values - first.mean()) / (2 * _REACH_SD * spread)
    mapped: Floats = np.clip(unit, 0.0, 1.0) if clip else unit
    return mapped


def _detections(values: Floats) -> list[int]:
    """After how many values each alarm of ours opened, in either direction; one value is a pane."""
    found: list[int] = []
    begin = 0
    while len(values) - begin > _FIRST:
        unit = _map(values[begin : begin + _FIRST], values[begin:], clip=True)[_FIRST:]
        levels = _levels(unit)
        opened = [n for n in (_opened(levels), _opened(_LEVELS - 1 - levels)) if n is not None]
        if not opened:
            break
        begin += _FIRST + min(opened)
        found.append(begin)
    return found


def _levels(unit: Floats) -> Counts:
    hashes = hash_ids([str(n) for n in range(len(unit))])
    return to_levels(unit, Scale(0.0, 1.0, True, _LEVELS), uniforms(hashes))


def _opened(levels: Counts) -> int | None:
    thresholds = fleet_thresholds(_PER_ALARM, 1, shares=2)
    plan = SeriesPlan(
        grid=Grid(_LEVELS),
        pane_ms=1,
        window_ms=1,
        baseline_samples=None,
        baseline_constant=0.5,
        smallest_effect=1.0 / (2 * _REACH_SD),  # one standard deviation
        log_threshold=thresholds.log_threshold,
        log_suspect=thresholds.log_suspect,
        alarm=True,
    )
    one_score = np.eye(_LEVELS, dtype=np.int64)
    panes = [Pane(n, tuple(one_score[level].tolist())) for n, level in enumerate(levels)]
    alarm = first_alarm(panes, plan, len(levels))
    return None if alarm is None else alarm.opened_ms + 1


def _river(question: str, streams: object = None) -> Any:  # noqa: ANN401 - parsed JSON
    client = Path(__file__).with_name("river_client.py")
    done = subprocess.run(
        [own_environment("river-0.26.1", _REQUIREMENTS), client, question],
        input=json.dumps(streams),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)
