"""What tests of the running job have in common: until when it runs, and what it must find."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.configuration import load_settings
from streaming_eval.pipeline.plan import monitor_plan
from streaming_eval.pipeline.window_rows import SINCE_BASELINE
from streaming_eval.records import ALL_SEGMENTS, SeriesKey
from streaming_eval.settings import Settings
from tests.faults.job import JobProcess
from tests.faults.site import Place
from tests.faults.waiting import wait_until
from tests.pipeline.pure_monitor import Pure

LIMIT_S = 240.0
_STOP_LIMIT_S = 60.0


def until(reached: Callable[[], bool], job: JobProcess) -> None:
    """Waits until it is reached, by tables that take a while to be read."""
    wait_until(reached, job, LIMIT_S, poll_s=0.5)


def wait_and_stop(place: Place, job: JobProcess, reached: Callable[[], bool]) -> None:
    """Waits until it is reached, then ends the job in good order."""
    until(reached, job)
    job.terminate()
    assert job.wait(_STOP_LIMIT_S) == 0, place.directory


def settings_of(place: Place) -> Settings:
    """The settings that the job of a place runs with."""
    changes = {key: str(value) for key, value in place.settings.items()}
    return load_settings(place.configuration, changes)


def counted(place: Place, model: str, scorer: str) -> int:
    """Samples that one series over all segments has counted, or found missing or late."""
    windows: dict[dt.datetime, int] = {}
    late = 0
    for row in place.read("estimates").sort_by("batch_id").to_pylist():
        key = SeriesKey.parse(row["series_key"])
        mine = (key.model, key.scorer, key.segment) == (model, scorer, ALL_SEGMENTS)
        if mine and not key.against and row["window"] != SINCE_BASELINE:
            windows[row["window_start"]], late = row["n"] + row["missing"], row["late"]
    return sum(windows.values()) + late


def pure_of(place: Place) -> Pure:
    """What the pure functions make of the scores of a place, commit by commit."""
    pure = Pure(monitor_plan(settings_of(place)))
    for commit in _commits(place):
        pure.take(commit)
    return pure


def _commits(place: Place) -> Iterator[pa.Table]:
    """The scores of each micro-batch, in order."""
    scores = place.read("scores")
    for batch_id in sorted(pc.unique(scores["batch_id"]).to_pylist()):
        yield scores.filter(pc.equal(scores["batch_id"], batch_id))
