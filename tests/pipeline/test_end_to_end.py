"""The whole path: a real broker, a real endpoint, both queries, SIGTERM, a second run."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from streaming_eval.local.demo_configuration import CANDIDATES
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.sample_replay import PRODUCTION_MODEL
from tests.faults.site import Site
from tests.faults.topic import replayed, sample_ids
from tests.faults.waiting import wait_until
from tests.pipeline import story as told
from tests.pipeline.metrics_page import named, value
from tests.pipeline.running import counted
from tests.pipeline.story import Story, tell

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(900)]
SCORERS = {"contains", "exact_match", "token_f1", "latency_ms", "judge"}
MODELS = {PRODUCTION_MODEL, *CANDIDATES}


@pytest.fixture(scope="module")
def story(site: Site, endpoint: RecordedEndpoint) -> Story:
    return tell(site, endpoint)


def test_every_sample_is_scored_once_by_every_scorer_for_every_model(story: Story) -> None:
    rows = story.place.read("scores").select(["sample_id", "model", "scorer"]).to_pylist()
    got = Counter(tuple(row.values()) for row in rows)
    assert set(got.values()) == {1}
    assert got.keys() == set(product(story.ids, MODELS, SCORERS))


def test_both_runs_end_in_good_order(story: Story) -> None:
    assert story.exit_codes == [0, 0]
    assert "Traceback" not in story.output
    assert "Exception" not in story.output


def test_a_question_is_paid_for_once_even_around_a_stop(story: Story) -> None:
    calls = Counter((call.model, call.body_sha256) for call in story.place.calls())
    keys = story.place.read("responses")["cache_key"].to_pylist()
    assert set(calls.values()) == {1}
    assert len(keys) == len(set(keys)) == len(calls)


def test_the_same_questions_again_make_no_call_at_all(story: Story) -> None:
    assert story.calls["same questions"] == story.calls["first"] > 0
    assert value(story.before_stop, "cache_lookups_total", result="hit") >= len(CANDIDATES)


def test_a_hostile_record_is_a_dead_letter_with_its_reason_and_its_bytes(story: Story) -> None:
    letters = story.place.read("dead_letters").to_pylist()
    assert {row["key"]: (row["reason"], row["value"]) for row in letters} == {
        key: (str(case.reason), case.value) for key, case in story.hostile.items()
    }
    assert len(letters) == told.HOSTILE
    assert value(story.before_stop, "samples_total", outcome="dead_letter") == told.HOSTILE
    by_reason = Counter(str(case.reason) for case in story.hostile.values())
    shown = named(story.before_stop, "dead_letters_total")
    assert {dict(labels)["reason"]: n for labels, n in shown.items()} == by_reason


def test_a_repeated_sample_is_dropped_and_counted_within_and_across_batches_and_runs(
    story: Story,
) -> None:
    repeats = told.REPEATS_AT_ONCE + told.REPEATS_LATER
    assert value(story.before_stop, "samples_total", outcome="duplicate") == repeats
    assert value(story.last, "samples_total", outcome="duplicate") == told.REPEATS_AFTER_RESTART


def test_late_samples_are_scored_and_counted_but_in_no_window(story: Story) -> None:
    assert counted(story.place, CANDIDATES[0], "contains") == len(story.ids)
    per_series = {
        (row["model"], row["scorer"]): row["late"]
        for row in story.place.read("estimates").sort_by("batch_id").to_pylist()
        if row["segment"] == "__all__" and not row["against"]
    }
    assert per_series == dict.fromkeys(product(MODELS, SCORERS), told.LATE)
    scores_per_sample = len(MODELS) * len(SCORERS)
    assert value(story.before_stop, "late_samples_total") == told.LATE * scores_per_sample
    assert value(story.last, "late_samples_total") == 0


def test_an_event_from_the_future_is_moved_to_the_present_and_makes_nobody_late(
    story: Story,
) -> None:
    rows = story.place.read("scores").select(["sample_id", "event_time", "scored_at"]).to_pylist()
    moved = [row for row in rows if row["sample_id"] == told.FUTURE]
    assert moved
    assert all((row["event_time"] - row["scored_at"]).total_seconds() <= 5 for row in moved)
    assert value(story.last, "late_samples_total") == 0


def test_the_baseline_outlives_the_stop_and_the_drop_is_found(story: Story) -> None:
    baselines = story.place.read("baselines")["series_key"].to_pylist()
    alerts = story.place.read("alerts").to_pylist()
    series = [(row["series_key"], row["kind"]) for row in alerts]
    assert len(baselines) == len(set(baselines))
    assert len(series) == len(set(series))
    assert {(row["model"], row["against"]) for row in alerts} == {(PRODUCTION_MODEL, "")}
    assert ("__all__", "contains") in {(row["segment"], row["scorer"]) for row in alerts}
    regressed = dict(
        model=PRODUCTION_MODEL, segment="__all__", scorer="contains", against="", state="regressed"
    )
    assert value(story.last, "monitor_state", **regressed) == 1
    assert value(story.before_stop, "monitor_state", **regressed) == 0


def test_metrics_are_refused_until_they_are_restored(story: Story) -> None:
    assert (503, 503) in story.while_starting
    # Metrics are asked for first, so the job may become ready in between; the reverse is the fault.
    assert not any(metrics == 200 for metrics, _ in story.while_starting)
    before, after = (named(page, "score_samples") for page in (story.before_stop, story.restored))
    assert after.keys() >= before.keys()
    since = {labels for labels in before if ("window", "baseline") in labels}
    assert all(after[labels] >= before[labels] for labels in since)
    assert sum(before[labels] for labels in since) > 0


def test_the_page_shows_what_the_tables_hold(story: Story) -> None:
    since = value(story.last, "samples_total", outcome="scored")
    assert value(story.before_stop, "samples_total", outcome="scored") + since <= len(story.ids)
    assert since >= told.WHILE_DOWN
    newest = {
        (row["model"], row["segment"], row["scorer"], row["against"], row["window"]): row["n"]
        for row in story.place.read("estimates")
        .sort_by([("batch_id", "ascending"), ("window_start", "ascending")])
        .to_pylist()
    }
    names = ("model", "segment", "scorer", "against", "window")
    shown = named(story.last, "score_samples")
    assert {
        tuple(dict(labels).get(n, "") for n in names): v for labels, v in shown.items()
    } == newest


def test_replay_with_an_empty_cache_asks_nothing_and_says_so(
    site: Site, endpoint: RecordedEndpoint, story: Story
) -> None:
    topic = site.topic("replayed")
    records = replayed(40, "r", seed=1, step_ms=10, swap=False)
    site.produce(topic, records)
    place = site.place("replayed", topic, endpoint, {"cache.policy": "replay"})
    before = endpoint.stats()["calls"]
    with place.job() as job:
        wait_until(lambda: place.read("scores").num_rows > 0, job, told.LIMIT_S, poll_s=0.2)
        job.terminate()
        assert job.wait(told.LIMIT_S) == 0
    assert endpoint.stats()["calls"] == before
    rows = place.read("scores").to_pylist()
    errors = {
        ("judge" if row["scorer"] == "judge" else "other", row["model"] == PRODUCTION_MODEL):
        (row["status"], row["error"], row["value"] is None)
        for row in rows
    }  # fmt: skip
    assert {row["sample_id"] for row in rows} == set(sample_ids(records))
    assert errors == {
        ("other", True): ("ok", None, False),
        ("judge", True): ("failed", "judge_cache_miss", True),
        ("other", False): ("failed", "cache_miss", True),
        ("judge", False): ("failed", "cache_miss", True),
    }
