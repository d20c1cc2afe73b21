"""Records that are no samples among ten times as many good ones."""

from __future__ import annotations

import random
from collections.abc import Hashable

from streaming_eval.local.sample_replay import TopicRecord
from tests.faults.checks import Checks
from tests.faults.killing import IDLE
from tests.faults.options import Options
from tests.faults.site import LARGEST_MESSAGE_BYTES, Place, Site, dead_letter_topic
from tests.faults.topic import Lying, lying_in, replayed
from tests.hostile import Case, hostile_records, odd_good_records

_GOOD, _HOSTILE = 10_000, 1_000
_LARGEST_BYTES = LARGEST_MESSAGE_BYTES - 65_536  # leaves room for headers
_RUN_LIMIT_S = 600.0

Letter = tuple[str, bytes | None, bytes | None]


def hostile(site: Site, options: Options, checks: Checks) -> None:
    """Every good record is scored; every hostile one is a dead letter with its reason and bytes."""
    topic = site.topic("faults.hostile")
    odd, bad = odd_good_records(_LARGEST_BYTES), hostile_records(_HOSTILE, _LARGEST_BYTES)
    records = replayed(_GOOD - len(odd), "h", seed=options.seed, step_ms=10, swap=False)
    records += [TopicRecord(f"good-{i}".encode(), case.value) for i, case in enumerate(odd)]
    cases = {f"hostile-{i}".encode(): case for i, case in enumerate(bad)}
    records += [TopicRecord(key, case.value) for key, case in cases.items()]
    random.Random(options.seed).shuffle(records)
    site.produce(topic, records)
    with site.endpoint("hostile", latency_ms=5.0, synthetic=True) as endpoint:
        place = site.place("hostile", topic, endpoint, {"kafka.max_records_per_trigger": 2_000})
        with place.job(IDLE) as job:
            code = job.wait(_RUN_LIMIT_S)
    checks.equal("exit code of the only run", code, 0)
    _check(checks, site, place, topic, cases)


def _check(checks: Checks, site: Site, place: Place, topic: str, cases: dict[bytes, Case]) -> None:
    lying = lying_in(site.bootstrap_servers, topic)
    scored = set(_places(place.read("scores").select(["partition", "offset"]).to_pylist()))
    good = {(r.partition, r.offset) for r in lying if r.key not in cases}
    wanted: dict[Hashable, object] = {
        (r.partition, r.offset): _wanted(r, cases[r.key]) for r in lying if r.key in cases
    }
    letters = place.read("dead_letters").to_pylist()
    in_delta: dict[Hashable, object] = {
        place: (row["reason"], row["key"], row["value"])
        for place, row in zip(_places(letters), letters, strict=True)
    }
    published = lying_in(site.bootstrap_servers, dead_letter_topic(topic))
    in_kafka: dict[Hashable, object] = {_origin(r): _published(r) for r in published}
    reasons = {str(case.reason) for case in cases.values()}
    checks.figure(f"{len(scored):,} scored, {len(letters):,} dead letters, {len(reasons)} reasons")
    checks.equal("dead letters in Delta", len(letters), _HOSTILE)
    checks.equal("dead letters in Kafka", len(published), _HOSTILE)
    checks.same_members("scored records", list(scored), list(good))
    checks.same_values("dead letters in Delta", in_delta, wanted)
    checks.same_values("dead letters in Kafka", in_kafka, wanted)
    checks.equal("their topics", {r.headers["topic"].decode() for r in published}, {topic})
    checks.expect(all(r.headers["message"] for r in published), "a dead letter has no message")


def _wanted(record: Lying, case: Case) -> Letter:
    return str(case.reason), record.key, record.value


def _published(record: Lying) -> Letter:
    return record.headers["reason"].decode(), record.key, record.value


def _origin(record: Lying) -> tuple[int, int]:
    return int(record.headers["partition"]), int(record.headers["offset"])


def _places(rows: list[dict[str, int]]) -> list[tuple[int, int]]:
    return [(row["partition"], row["offset"]) for row in rows]
