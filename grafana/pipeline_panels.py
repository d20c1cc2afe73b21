"""The panels that say whether the pipeline is well, and what its model calls are like."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries

from grafana.panels import WIDTH, About, Query, lines

_THIRD = WIDTH // 3


def pipeline() -> list[timeseries.Panel]:
    """In the order in which one asks: is it working, is it keeping up, what does it lose."""
    return [
        _per_second("Samples", "Samples by what became of them.", "samples_total", "outcome"),
        _lag(),
        _silence(),
        _batches(),
        _age(),
        _per_second("Dead letters", "Records rejected, by reason.", "dead_letters_total", "reason"),
        _lost(),
        _cache(),
        _requests(),
        _per_second("Retries", "Repeated requests, by reason.", "retries_total", "reason"),
        _per_second("Tokens", "Tokens of paid calls.", "tokens_total", "direction"),
    ]


def _rate(metric: str, by: str) -> str:
    counted = f'rate(streaming_eval_{metric}{{job="$job"}}[$__rate_interval])'
    return f"sum by ({by}) ({counted})"


def _per_second(what: str, description: str, metric: str, label: str) -> timeseries.Panel:
    about = About(f"{what} per second", description, "cps", _THIRD)
    return lines(about, Query(_rate(metric, label), f"{{{{{label}}}}}"))


def _lag() -> timeseries.Panel:
    about = About("Waiting records", "Records in Kafka that are not scored yet.", "short", _THIRD)
    expr = 'sum by (topic, partition) (streaming_eval_kafka_lag_records{job="$job"})'
    return lines(about, Query(expr, "{{topic}} {{partition}}"))


def _silence() -> timeseries.Panel:
    about = About(
        "Time since the last commit",
        "Of scores, and of a batch of each query. It grows while there is nothing to do.",
        "s",
        _THIRD,
    )
    score = 'time() - (streaming_eval_last_score_timestamp_seconds{job="$job"} > 0)'
    batch = 'time() - streaming_eval_last_batch_timestamp_seconds{job="$job"}'
    return lines(about, Query(score, "scores"), Query(batch, "batch of {{query}}"))


def _batches() -> timeseries.Panel:
    about = About("Batch duration", "Median and 95th percentile, by query.", "s", _THIRD)
    buckets = _rate("batch_duration_seconds_bucket", "le, query")
    return lines(
        about,
        *(
            Query(f"histogram_quantile({share}, {buckets})", f"{{{{query}}}} {name}")
            for share, name in ((0.5, "median"), (0.95, "95th percentile"))
        ),
    )


def _age() -> timeseries.Panel:
    about = About(
        "Age of the newest sample at commit",
        "From a sample's event time to the commit of the batch that holds it, by query.",
        "s",
        _THIRD,
    )
    expr = 'streaming_eval_event_time_lag_seconds{job="$job"}'
    return lines(about, Query(expr, "{{query}}"))


def _lost() -> timeseries.Panel:
    about = About(
        "Missing scores and late samples per second",
        "Scores without a value, by why, and samples too late for their pane.",
        "cps",
        _THIRD,
    )
    return lines(
        about,
        Query(_rate("scores_missing_total", "status"), "{{status}}"),
        Query(_rate("late_samples_total", "job"), "late"),
    )


def _cache() -> timeseries.Panel:
    about = About("Cache hits", "Share of look-ups that cost no request.", "percentunit", _THIRD)
    lookups = 'streaming_eval_cache_lookups_total{job="$job"'
    hits = f'sum(rate({lookups},result="hit"}}[$__rate_interval]))'
    return lines(about, Query(f"{hits} / sum(rate({lookups}}}[$__rate_interval]))", "hits"))


def _requests() -> timeseries.Panel:
    about = About("Requests per second", "Model calls by endpoint and outcome.", "reqps", _THIRD)
    expr = _rate("requests_total", "endpoint, outcome")
    return lines(about, Query(expr, "{{endpoint}} {{outcome}}"))
