import shutil
import subprocess
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streaming_eval.adapters.prometheus import PipelineMetrics
from tests.exporter_data import work

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture
def metrics() -> PipelineMetrics:
    return PipelineMetrics()


def value(metrics: PipelineMetrics, name: str, **labels: str) -> float | None:
    text = metrics.render("")[0].decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"streaming_eval_{name}" and sample.labels == labels:
                return float(sample.value)
    return None


def test_counts_add_up(metrics: PipelineMetrics) -> None:
    metrics.count_samples("scored", 3)
    metrics.count_samples("scored", 4)
    assert value(metrics, "samples_total", outcome="scored") == 7


def test_known_labels_begin_at_zero_so_the_first_event_is_an_increase(
    metrics: PipelineMetrics,
) -> None:
    assert value(metrics, "samples_total", outcome="dead_letter") == 0
    assert value(metrics, "scores_missing_total", status="failed") == 0
    assert value(metrics, "cache_lookups_total", result="hit") == 0
    assert value(metrics, "last_score_timestamp_seconds") == 0


def test_a_lag_that_nobody_measured_is_not_shown(metrics: PipelineMetrics) -> None:
    assert value(metrics, "kafka_lag_records", topic="t", partition="0") is None
    assert value(metrics, "event_time_lag_seconds", query="score") is None


def test_a_partition_that_is_gone_disappears(metrics: PipelineMetrics) -> None:
    metrics.observe_kafka_lag({("t", 0): 5, ("t", 1): 6})
    metrics.observe_kafka_lag({("t", 1): 7})
    assert value(metrics, "kafka_lag_records", topic="t", partition="0") is None
    assert value(metrics, "kafka_lag_records", topic="t", partition="1") == 7


def test_a_batch_is_timed_and_dated(metrics: PipelineMetrics) -> None:
    metrics.observe_batch("score", 0.3, 1_700_000_000.0)
    assert value(metrics, "batch_duration_seconds_count", query="score") == 1
    assert value(metrics, "batch_duration_seconds_bucket", query="score", le="0.25") == 0
    assert value(metrics, "batch_duration_seconds_bucket", query="score", le="0.5") == 1
    assert value(metrics, "last_batch_timestamp_seconds", query="score") == 1_700_000_000


def test_threads_lose_no_count(metrics: PipelineMetrics) -> None:
    def count() -> None:
        for _ in range(2_000):
            metrics.count_retries("http_429", 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(metrics, "retries_total", reason="http_429") == 8_000


def test_two_recorders_share_nothing(metrics: PipelineMetrics) -> None:
    metrics.count_late_samples(1)
    assert value(PipelineMetrics(), "late_samples_total") == 0


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
def test_no_created_series(metrics: PipelineMetrics, accept: str) -> None:
    work(metrics, 1_700_000_000.0)
    assert b"_created" not in metrics.render(accept)[0]


def test_every_metric_is_described(metrics: PipelineMetrics) -> None:
    work(metrics, 1_700_000_000.0)
    shown = {
        line.split()[2]: line.split()[3]
        for line in metrics.render("")[0].decode().splitlines()
        if line.startswith("# TYPE")
    }
    assert {metric.name: metric.kind for metric in metrics.described()} == shown


def test_described_labels_are_the_exported_ones(metrics: PipelineMetrics) -> None:
    work(metrics, 1_700_000_000.0)
    described = {metric.name: set(metric.labels) for metric in metrics.described()}
    for name, labels, _ in metrics.values():
        assert set(labels) == described[name]


def test_promtool_finds_nothing_to_say(metrics: PipelineMetrics) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is needed: install the package prometheus"
    work(metrics, 1_700_000_000.0)
    page = metrics.render("")[0]
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
