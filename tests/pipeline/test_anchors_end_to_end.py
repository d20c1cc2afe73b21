"""The system or the judge: a running job blames the judge that changed, and not the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from streaming_eval.inference.anchored_judge import AnchorDraw
from streaming_eval.local.ports import free_ports
from streaming_eval.local.sample_replay import PRODUCTION_MODEL, TopicRecord, rfc3339, wall_ms
from streaming_eval.records import ALL_SEGMENTS, JUDGE
from streaming_eval.scoring.judge import read_task
from tests.faults.site import Place, Site
from tests.pipeline.anchored import anchors_file
from tests.pipeline.metrics_page import Page, metrics, value
from tests.pipeline.models_api import ModelsApi
from tests.pipeline.pure_monitor import agrees, check
from tests.pipeline.running import counted, pure_of, until, wait_and_stop

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(900)]
STEADY, FICKLE = "steady", "fickle"
PEOPLE = (1, 2, 3)  # their grades of the anchors
GOOD, POOR = (3, 3, 3, 2), (2, 1, 1, 1)  # grades that the responses of a time deserve, by turns
BEFORE, AFTER, GUARD = 300, 240, 200
STEP_MS = 500


@dataclass
class Judges:
    """Grade a response as it deserves; once it has changed, one of them a grade too low."""

    changed: bool = False

    def answer(self, judge: str, question: str) -> str:
        (deserved,) = re.findall(r"\d", read_task(question).response)
        grade = int(deserved) - (judge == FICKLE and self.changed)
        return json.dumps({"score": max(grade, 1), "explanation": "So."})


def answered(deserve: Sequence[int], n: int, run_id: str, start_ms: int) -> list[TopicRecord]:
    """Samples whose responses deserve these grades, by turns."""
    samples = [
        {
            "id": f"{run_id}-{number}",
            "time": rfc3339(start_ms + number * STEP_MS),
            "model": PRODUCTION_MODEL,
            "prompt": f"Why, in {run_id}?",
            "response": f"Because {deserve[number % len(deserve)]}.",
        }
        for number in range(n)
    ]
    return [TopicRecord(str(s["id"]).encode(), json.dumps(s).encode()) for s in samples]


def settings(api: ModelsApi, anchors: str, port: int) -> Mapping[str, object]:
    def judge(name: str) -> dict[str, object]:
        held = {"file": anchors, "share": 1.0, "guard": GUARD}
        asked = {"endpoint": "judges", "model": name, "rubric": "Is it right?", "anchors": held}
        return {"kind": "judge", "name": name, "judge": asked, "drift": False}

    values = {
        "endpoints": {"judges": {"base_url": api.base_url, "max_in_flight": 16}},
        "candidates": [],
        "comparisons": [],
        "scorers": [judge(STEADY), judge(FICKLE)],
        "segments": {},
        "monitor.baseline": {"kind": "pinned", "samples": 200},
    }
    return {key: json.dumps(value) for key, value in values.items()} | {
        "monitor.allowed_lateness": "30s",
        "exporter.port": port,
    }


@dataclass
class Told:
    """What was put in, and what was seen from outside.

    Attributes:
        deserved: sample to the grade that its response deserves.
        before_change: ids of samples that were graded before the judge changed.
        page: the last metrics page.
    """

    place: Place
    deserved: dict[str, int] = field(default_factory=dict)
    before_change: set[str] = field(default_factory=set)
    page: Page = field(default_factory=dict)

    def put(self, site: Site, records: Sequence[TopicRecord]) -> None:
        site.produce("anchors", records)
        for record in records:
            sample = json.loads(record.value or b"")
            self.deserved[sample["id"]] = int(sample["response"][-2])

    def settled(self) -> bool:
        """Whether both judges' series have counted everything."""
        return all(
            counted(self.place, PRODUCTION_MODEL, judge) == len(self.deserved)
            for judge in (STEADY, FICKLE)
        )

    def culprits(self) -> dict[str, str | None]:
        """Judge to the newest verdict on the alert on its scores."""
        rows = self.place.read("alerts").sort_by("revision").to_pylist()
        return {row["scorer"]: row["culprit"] for row in rows if row["model"] != JUDGE}


@pytest.fixture(scope="module")
def told(site: Site) -> Iterator[Told]:
    """All is well; then answers get worse and one judge stricter, until both have a verdict."""
    judges, (port, unused) = Judges(), free_ports(2)
    with ModelsApi(judges.answer).serving() as api:
        topic = site.topic("anchors")
        anchors = anchors_file(site.made("anchors"), PEOPLE)
        # The demo's endpoint is in no setting that counts here, so it is never started.
        nobody = site.endpoint("anchors", 0.0, port=unused)
        place = site.place("anchors", topic, nobody, settings(api, str(anchors), port))
        story, now_ms = Told(place), wall_ms()
        start_ms = now_ms - STEP_MS * (BEFORE + 2 * AFTER)
        story.put(site, answered(GOOD, BEFORE, "good", start_ms))
        with place.job() as job:
            until(story.settled, job)
            story.before_change = set(story.deserved)
            judges.changed = True
            start_ms += STEP_MS * BEFORE
            story.put(site, answered(POOR, AFTER, "poor", start_ms))
            until(lambda: set(story.culprits()) == {STEADY, FICKLE}, job)
            story.put(site, answered(POOR, AFTER, "poorer", start_ms + STEP_MS * AFTER))
            until(story.settled, job)
            until(lambda: verdict(metrics(port), STEADY) == "system", job)
            story.page = metrics(port)
            wait_and_stop(place, job, lambda: agrees(place.tables(), pure_of(place)))
        yield story


def verdict(page: Page, judge: str) -> str | None:
    labels = {"model": PRODUCTION_MODEL, "segment": ALL_SEGMENTS, "scorer": judge}
    names = ("system", "judge", "undecided")
    shown = {n: value(page, "alert_culprit", **labels, kind="regression", culprit=n) for n in names}
    return next((name for name in names if shown[name]), None)


def grade(told: Told, judge: str, deserved: int, sample_id: str) -> int:
    """What a judge says of a text that deserves this grade beside a sample."""
    stricter = judge == FICKLE and sample_id not in told.before_change
    return max(deserved - stricter, 1)


def test_every_anchor_is_the_one_that_the_sample_s_id_draws_and_graded_by_the_judge_of_then(
    told: Told,
) -> None:
    rows = [row for row in told.place.read("scores").to_pylist() if row["anchor_id"] is not None]
    found = {(row["sample_id"], row["scorer"]): (row["anchor_id"], row["value"]) for row in rows}
    assert {row["model"] for row in rows} == {JUDGE}
    expected = {}
    for sample_id in told.deserved:
        number = int(AnchorDraw.of(sample_id).place * len(PEOPLE))
        for judge in (STEADY, FICKLE):
            agrees = grade(told, judge, PEOPLE[number], sample_id) == PEOPLE[number]
            expected[sample_id, f"{judge}:anchors"] = (f"a{number}", float(agrees))
    assert found == expected
    assert len(rows) == len(expected)


def test_every_response_has_the_grade_of_each_judge_of_then(told: Told) -> None:
    rows = [row for row in told.place.read("scores").to_pylist() if row["anchor_id"] is None]
    found = {(row["sample_id"], row["scorer"]): row["value"] for row in rows}
    assert found == {
        (sample_id, judge): grade(told, judge, deserved, sample_id)
        for sample_id, deserved in told.deserved.items()
        for judge in (STEADY, FICKLE)
    }


def test_the_monitor_says_what_the_pure_functions_say_of_scores_and_of_judges(told: Told) -> None:
    check(told.place.tables(), pure_of(told.place))


def test_the_judge_that_changed_is_to_blame_and_where_none_did_the_system_is(told: Told) -> None:
    assert told.culprits() == {STEADY: "system", FICKLE: "judge"}
    assert {judge: verdict(told.page, judge) for judge in (STEADY, FICKLE)} == told.culprits()
    rows = told.place.read("alerts").sort_by("revision").to_pylist()
    of_judges = {row["scorer"] for row in rows if row["model"] == JUDGE}
    assert of_judges == {f"{FICKLE}:anchors"}
    steady = [row for row in rows if row["scorer"] == STEADY]
    assert [(row["status"], row["culprit"]) for row in steady] == [
        ("opened", "undecided"),
        ("attributed", "system"),
    ]
