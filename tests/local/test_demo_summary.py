from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streaming_eval.adapters.answer_table import responses_table
from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import Alarm, Transition
from streaming_eval.local.call_log import CallLog
from streaming_eval.local.demo_summary import Summary, summarise
from streaming_eval.local.sample_replay import Swap
from streaming_eval.pipeline.monitor_rows import AlertStep, alerts_table
from streaming_eval.pipeline.score_rows import dead_letters_table, instant
from streaming_eval.records import DeadLetter, KafkaRecord, SeriesKey
from tests.adapters.paid import paid
from tests.pipeline.estimated import KEY, estimate
from tests.pipeline.scored import score_row, score_table

SWAP = Swap(1_700_000_000_000, 500)
PAIR = SeriesKey("llama-2-13b", "__all__", "contains", "v1", "llama-2-7b")


class Demo:
    """What the demo's services left behind."""

    def __init__(self, directory: Path) -> None:
        self.root, self.call_log = directory / "lakehouse", directory / "calls"
        self.tables = Tables(self.root)

    def scores(self, *rows: Mapping[str, object]) -> None:
        self.tables.append_untracked("scores", score_table(rows))

    def paid(self, *questions: str) -> None:
        self.tables.append_untracked("responses", responses_table(map(paid, questions)))

    def alert(self, opened_ms: int, key: SeriesKey = KEY) -> None:
        alarm = Alarm(opened_ms - 9_000, opened_ms - 10_000, 13.0, 77)
        opened = AlertStep(Transition(alarm), estimate(key, window="baseline"), opened_ms)
        self.tables.append_untracked("alerts", alerts_table([opened], 0))

    def summary(self, swap: Swap | None = SWAP, fired: bool | None = True) -> Summary:
        return summarise(self.root, self.call_log, 900, swap, fired)


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path)


def asked(sample_id: str, question: str | None, **columns: object) -> dict[str, Any]:
    """A candidate's score; `question` names the request behind it."""
    key = None if question is None else paid(question).cache_key
    merged: dict[str, Any] = {"model": "llama-2-7b"} | columns
    return score_row(sample_id, cache_key=key, **merged)


def test_samples_count_once_however_many_scores_they_have(demo: Demo) -> None:
    demo.scores(score_row("a"), score_row("a", scorer="judge"), score_row("b", None))
    letters = [DeadLetter(KafkaRecord("t", 0, n, 0, None, b""), "empty", "") for n in range(3)]
    demo.tables.append_untracked("dead_letters", dead_letters_table(letters, 0, 0))
    summary = demo.summary()
    assert (summary.samples_produced, summary.samples_scored, summary.dead_letters) == (900, 2, 3)


def test_calls_are_counted_from_the_endpoint_s_own_log(demo: Demo) -> None:
    log = CallLog(demo.call_log)
    for status in (200, 200, 429):
        log.write("llama-2-7b", "ab", status)
    log.close()
    assert demo.summary().requests_sent == 3


def test_an_answer_is_a_hit_each_time_but_the_first(demo: Demo) -> None:
    demo.paid("1", "2", "verdict")
    verdict = paid("verdict").cache_key
    demo.scores(
        score_row("a", judge_cache_key=verdict),
        asked("a", "1"),
        asked("a", "1", scorer="exact_match"),
        asked("b", "1"),
        asked("c", "2", judge_cache_key=verdict),
        asked("c", "1", model="llama-2-13b"),
    )
    summary = demo.summary()
    assert summary.distinct_cache_keys == 3
    assert summary.cache_hits == 2 + 0 + 1, "of question 1, of question 2, of the verdict"


def test_a_call_that_failed_is_no_hit(demo: Demo) -> None:
    demo.paid("1")
    demo.scores(asked("a", "1"), asked("b", "failed", value=None), asked("c", "failed", value=None))
    assert demo.summary().cache_hits == 0


def test_an_answer_that_no_score_used_takes_no_hit_away(demo: Demo) -> None:
    """The sample was a repeat, so its scores were dropped."""
    demo.paid("1", "of a repeat")
    demo.scores(asked("a", "1"), asked("b", "1"))
    summary = demo.summary()
    assert (summary.distinct_cache_keys, summary.cache_hits) == (2, 1)


def test_an_alert_is_dated_by_samples_and_seconds_after_the_swap(demo: Demo) -> None:
    swapped, opened = SWAP.at_ms, SWAP.at_ms + 12_345
    demo.scores(
        score_row("before", at_ms=swapped - 1, scored_at=instant(swapped + 5)),
        score_row("first", at_ms=swapped, scored_at=instant(swapped + 5)),
        score_row("first", at_ms=swapped, scored_at=instant(swapped + 5), scorer="judge"),
        score_row("second", at_ms=swapped + 10_000, scored_at=instant(opened)),
        score_row("candidate", at_ms=swapped, scored_at=instant(opened), model="llama-2-7b"),
        score_row("too_late", at_ms=swapped + 10_000, scored_at=instant(opened + 1)),
    )
    demo.alert(opened)
    (alert,) = demo.summary().alerts
    assert (alert.samples_after_swap, alert.seconds_after_swap) == (2, 12.345)
    assert (alert.series_key, alert.model, alert.segment) == (str(KEY), "assistant", "__all__")
    assert (alert.scorer, alert.against) == ("contains", "")
    assert alert.opened_at == "2023-11-14T22:13:32.345+00:00"
    assert alert.began_at == "2023-11-14T22:13:22.345+00:00"
    assert (alert.n_since_began, alert.baseline_mean, alert.mean) == (77, 0.9, 0.7)


def test_alerts_come_in_the_order_in_which_they_opened(demo: Demo) -> None:
    demo.alert(SWAP.at_ms + 500)
    demo.alert(SWAP.at_ms + 2_000)
    demo.alert(SWAP.at_ms - 1_000, PAIR)
    demo.alert(SWAP.at_ms + 1_500)
    alerts = demo.summary().alerts
    assert [alert.seconds_after_swap for alert in alerts] == [-1.0, 0.5, 1.5, 2.0]
    assert (alerts[0].model, alerts[0].against) == ("llama-2-13b", "llama-2-7b")


def test_without_a_swap_nothing_is_dated_by_it(demo: Demo) -> None:
    demo.alert(SWAP.at_ms)
    summary = demo.summary(swap=None, fired=None)
    assert (summary.swap_at, summary.swapped_after_samples) == (None, None)
    assert summary.prometheus_alert_fired is None
    (alert,) = summary.alerts
    assert (alert.samples_after_swap, alert.seconds_after_swap) == (None, None)


def test_a_demo_that_was_stopped_at_once_has_a_summary_of_zeros(demo: Demo) -> None:
    summary = demo.summary(swap=None)
    counts = (summary.samples_scored, summary.dead_letters, summary.requests_sent)
    assert counts == (0, 0, 0)
    assert (summary.distinct_cache_keys, summary.cache_hits, summary.alerts) == (0, 0, ())


def test_the_summary_is_json_with_the_promised_names(demo: Demo) -> None:
    demo.alert(SWAP.at_ms + 1)
    document = json.loads(json.dumps(demo.summary().as_json()))
    assert document.keys() >= {
        "samples_produced", "samples_scored", "dead_letters", "requests_sent",
        "distinct_cache_keys", "cache_hits", "swap_at", "alerts", "prometheus_alert_fired",
    }  # fmt: skip
    assert document["swap_at"] == "2023-11-14T22:13:20.000+00:00"
    assert document["swapped_after_samples"] == 500
    (alert,) = document["alerts"]
    assert alert.keys() >= {
        "series_key", "model", "segment", "scorer", "opened_at", "samples_after_swap",
        "seconds_after_swap",
    }  # fmt: skip
