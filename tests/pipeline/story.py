"""The life of one job, told once and read by many tests.

First run: good samples, hostile records and repeats; then the same questions again, with late
events and one from the future; then, while calls are under way for answers that have turned bad,
SIGTERM. Second run, on the same state: what came in meanwhile, and the alert.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streaming_eval.local.demo_configuration import CANDIDATES
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.ports import free_ports
from streaming_eval.local.sample_replay import TopicRecord, wall_ms
from tests.faults.job import JobProcess
from tests.faults.site import Place, Site
from tests.faults.topic import replayed, sample_ids
from tests.faults.waiting import wait_until
from tests.hostile import Case, hostile_records
from tests.pipeline.metrics_page import Page, get, metrics, value
from tests.pipeline.running import counted

FIRST, LATE, REGRESSED, WHILE_DOWN, HOSTILE = 800, 12, 200, 200, 60
REPEATS_AT_ONCE, REPEATS_LATER, REPEATS_AFTER_RESTART = 20, 15, 10
FUTURE = "future"
ENDPOINT = "endpoint"
LIMIT_S = 240.0
_SEED = 7
_STEP_MS = 300
_SLOW_MS, _USUAL_MS = 400.0, 30.0
_SETTINGS: Mapping[str, object] = {
    "monitor.pane": "5s",
    "monitor.allowed_lateness": "20s",
    "monitor.baseline.samples": 300,
    "limits.allowed_clock_skew": "5s",
}


@dataclass(slots=True)
class Story:
    """What was put in, and what was seen from outside on the way.

    Attributes:
        ids: of every sample that must be scored.
        hostile: key to case.
        calls: how many the endpoint had seen by the end of each chapter.
        before_stop: the last metrics page of the first run.
        restored: the first metrics page of the second run.
        last: the last metrics page of the second run.
        while_starting: distinct (readiness, metrics) statuses of the second run until it was ready.
        exit_codes: of both runs.
        output: of both runs.
    """

    place: Place
    topic: str
    port: int
    ids: list[str] = field(default_factory=list)
    hostile: dict[bytes, Case] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    before_stop: Page = field(default_factory=dict)
    restored: Page = field(default_factory=dict)
    last: Page = field(default_factory=dict)
    while_starting: set[tuple[int, int]] = field(default_factory=set)
    exit_codes: list[int] = field(default_factory=list)
    output: str = ""


def tell(site: Site, endpoint: RecordedEndpoint) -> Story:
    """Lives through both runs."""
    topic = site.topic("whole-path")
    (port,) = free_ports(1)
    settings = {**_SETTINGS, "exporter.port": port}
    place = site.place("whole-path", topic, endpoint, settings, endpoint_name=ENDPOINT)
    story = Story(place, topic, port)
    good = _first_chapter(story, site)
    with place.job() as job:
        story.before_stop = _settled(story, job)
        story.calls["first"] = len(place.calls())
        _same_questions(story, site, good)
        story.before_stop = _settled(story, job)
        story.calls["same questions"] = len(place.calls())
        _stop_with_calls_in_flight(story, site, endpoint, job)
    _produce(story, site, _regressed("d", WHILE_DOWN), good[:REPEATS_AFTER_RESTART])
    with place.job() as job:
        story.restored = _until_ready(story, job)
        story.last = _settled(story, job)
        _end(story, job)
    return story


def _first_chapter(story: Story, site: Site) -> list[TopicRecord]:
    start_ms = wall_ms() - (FIRST + 200) * _STEP_MS
    good = replayed(FIRST, "a", seed=_SEED, step_ms=_STEP_MS, swap=False, start_ms=start_ms)
    cases = hostile_records(HOSTILE, largest_bytes=100_000)
    story.hostile = {f"hostile-{i}".encode(): case for i, case in enumerate(cases)}
    odd = [TopicRecord(key, case.value) for key, case in story.hostile.items()]
    _produce(story, site, good, [*odd, *good[:REPEATS_AT_ONCE]])
    return good


def _same_questions(story: Story, site: Site, good: Sequence[TopicRecord]) -> None:
    """The first chapter's prompts and responses under new ids, some with odd event times."""
    again = replayed(FIRST, "b", seed=_SEED, step_ms=5, swap=False, start_ms=wall_ms() - 5 * FIRST)
    late = [_changed(r, id=f"late-{i}") for i, r in enumerate(good[:LATE])]
    future = _changed(good[0], id=FUTURE, time="2099-01-01T00:00:00Z")
    _produce(story, site, [*again, *late, future], good[-REPEATS_LATER:])


def _stop_with_calls_in_flight(
    story: Story, site: Site, endpoint: RecordedEndpoint, job: JobProcess
) -> None:
    endpoint.control(latency_ms=_SLOW_MS)
    _produce(story, site, _regressed("c", REGRESSED), [])
    wait_until(lambda: endpoint.stats()["in_flight"] > 0, job, LIMIT_S)
    _end(story, job)
    endpoint.control(latency_ms=_USUAL_MS)


def _regressed(run_id: str, count: int) -> list[TopicRecord]:
    """Samples whose responses have become useless."""
    start_ms = wall_ms() - 5 * count
    samples = replayed(count, run_id, seed=_SEED, step_ms=5, swap=False, start_ms=start_ms)
    return [_changed(sample, response="I do not know.") for sample in samples]


def _changed(record: TopicRecord, **fields: str) -> TopicRecord:
    sample = {**json.loads(record.value or b""), **fields}
    return TopicRecord(sample["id"].encode(), json.dumps(sample).encode())


def _produce(
    story: Story, site: Site, new: Sequence[TopicRecord], others: Sequence[TopicRecord]
) -> None:
    """Others first, so that they have been dealt with when all new samples are scored."""
    site.produce(story.topic, [*others, *new])
    story.ids += sample_ids(new)


def _settled(story: Story, job: JobProcess) -> Page:
    """The metrics page once everything produced is scored, counted and shown."""
    wait_until(
        lambda: counted(story.place, CANDIDATES[0], "contains") >= len(story.ids),
        job,
        LIMIT_S,
        poll_s=0.5,
    )
    newest = max(story.place.read("estimates")["updated_at"].to_pylist()).timestamp()
    wait_until(
        lambda: (
            value(metrics(story.port), "last_batch_timestamp_seconds", query="monitor")
            >= newest - 0.001
        ),
        job,
        LIMIT_S,
    )
    return metrics(story.port)


def _until_ready(story: Story, job: JobProcess) -> Page:
    def ready() -> bool:
        statuses = get(story.port, "/metrics")[0], get(story.port, "/-/ready")[0]
        if statuses != (200, 200):
            story.while_starting.add(statuses)
        return statuses == (200, 200)

    wait_until(ready, job, LIMIT_S)
    return metrics(story.port)


def _end(story: Story, job: JobProcess) -> None:
    job.terminate()
    story.exit_codes.append(job.wait(LIMIT_S))
    story.output += job.output
