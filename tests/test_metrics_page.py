from pathlib import Path

from streaming_eval.adapters.exporter import exported_metrics
from streaming_eval.adapters.prometheus_text import MetricInfo

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
PERSONAL = {"user", "prompt", "sample", "trace", "conversation", "cache_key", "id"}
OF_THE_SCRAPER = {"job", "instance", "env"}


def row(metric: MetricInfo) -> str:
    """The line of the page that describes one metric."""
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"


def test_the_page_lists_every_exported_metric_and_no_other() -> None:
    listed = [line for line in PAGE.read_text().splitlines() if line.startswith("| `streaming")]
    expected = [row(metric) for metric in exported_metrics()]
    assert listed == expected, "docs/metrics.md must hold these rows:\n" + "\n".join(expected)


def test_names_and_labels_follow_the_conventions() -> None:
    for metric in exported_metrics():
        assert metric.name.startswith("streaming_eval_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert not {*metric.labels} & (PERSONAL | OF_THE_SCRAPER)
        assert metric.help.endswith(".")
        assert not {'"', "\\", "\n"} & set(metric.help), "would need escapes in OpenMetrics"
