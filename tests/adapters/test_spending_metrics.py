"""Costs, savings and budgets as Prometheus sees them."""

from __future__ import annotations

import shutil
import subprocess
import threading

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from streaming_eval.adapters.spending_metrics import SpendingMetrics
from streaming_eval.inference.spending.budget import Budget, Per, Unit
from streaming_eval.inference.spending.price import pico

DAY = Budget(Unit.MONEY, pico(5), Per.DAY)
HOUR = Budget(Unit.TOKENS, 1_000, Per.HOUR, model="gpt")


@pytest.fixture
def spending() -> SpendingMetrics:
    return SpendingMetrics()


def page(collector: SpendingMetrics) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def value(collector: SpendingMetrics, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry.get_sample_value(f"streaming_eval_{name}", labels)


def filled() -> SpendingMetrics:
    """One of everything."""
    spending = SpendingMetrics()
    spending.count_cost("gpt", pico(1.5))
    spending.count_saved_cost("gpt", pico(0.25))
    spending.count_refused(HOUR, 3)
    spending.observe_budgets({DAY: 0.7, HOUR: 0.0})
    spending.observe_wait(1_741_523_400.0)
    spending.observe_sampling(0.25)
    return spending


def test_sums_of_many_small_costs_are_exact(spending: SpendingMetrics) -> None:
    for _ in range(100_000):
        spending.count_cost("gpt", pico(0.0000001))
    assert value(spending, "cost_usd_total", model="gpt") == 0.01


def test_the_currency_is_part_of_the_name() -> None:
    euros = SpendingMetrics("EUR")
    euros.count_cost("gpt", pico(2))
    assert value(euros, "cost_eur_total", model="gpt") == 2
    assert "in EUR." in page(euros)
    assert "usd" not in page(euros)


def test_savings_are_shown_in_money() -> None:
    spending = filled()
    assert value(spending, "cache_saved_cost_usd_total", model="gpt") == 0.25


def test_a_budget_is_shown_by_what_it_is_for() -> None:
    spending = filled()
    job = {"model": "__all__", "per": "day", "unit": "money"}
    gpt = {"model": "gpt", "per": "hour", "unit": "tokens"}
    assert value(spending, "budget_remaining_ratio", **job) == 0.7
    assert value(spending, "budget_remaining_ratio", **gpt) == 0
    assert value(spending, "budget_refused_calls_total", **gpt) == 3
    assert value(spending, "cache_saved_cost_usd_total", model="gpt") == 0.25


def test_before_anything_happened_everything_is_asked_and_nobody_waits(
    spending: SpendingMetrics,
) -> None:
    assert value(spending, "sampling_ratio") == 1
    assert value(spending, "budget_wait_until_timestamp_seconds") == 0
    spending.observe_wait(7.0)
    spending.observe_sampling(0.5)
    assert value(spending, "sampling_ratio") == 0.5
    assert value(spending, "budget_wait_until_timestamp_seconds") == 7


def test_a_model_without_a_price_shows_no_cost(spending: SpendingMetrics) -> None:
    spending.count_cost("gpt", 10)
    assert value(spending, "cost_usd_total", model="own") is None


def test_threads_lose_no_count(spending: SpendingMetrics) -> None:
    def count() -> None:
        for _ in range(5_000):
            spending.count_refused(DAY, 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    labels = {"model": "__all__", "per": "day", "unit": "money"}
    assert value(spending, "budget_refused_calls_total", **labels) == 20_000


def test_what_is_described_is_what_is_exported() -> None:
    spending = filled()
    kinds = {
        line.split()[2]: line.split()[3]
        for line in page(spending).splitlines()
        if line.startswith("# TYPE")
    }
    assert {metric.name: metric.kind for metric in spending.described()} == kinds
    labels = {metric.name: set(metric.labels) for metric in spending.described()}
    for family in spending.collect():
        for sample in family.samples:
            assert set(sample.labels) == labels[sample.name]


def test_promtool_finds_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is needed: install the package prometheus"
    text = page(filled()).encode()
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
