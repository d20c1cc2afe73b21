"""The board "streaming-eval / Inference": is an endpoint ill, slow or full, and what is saved."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import dashboard as models

from grafana.boards import Panel, Variable, board, evaluator, variable
from grafana.panels import WIDTH, About, Level, Query, lines, states

UID = "streaming-eval-inference"
CIRCUITS = (
    Level(0, "closed", "green"),
    Level(1, "half_open", "orange"),
    Level(2, "open", "red"),
)
_THIRD = WIDTH // 3
_CHOSEN = 'job="$job",endpoint=~"$endpoint"'
_INTERVAL = "[$__rate_interval]"


def inference() -> models.Dashboard:
    """The board as Grafana's classic JSON model."""
    return board(
        "Inference",
        UID,
        "Do the model endpoints answer, how fast, and what is spent on them in vain?",
        _variables(),
        (
            ("Health", [_circuits(), _openings(), _outcomes(), _durations()]),
            ("Load", [_in_flight(), _quota(), _quota_share()]),
            ("Cache and hedging", [_saved_tokens(), _saved_seconds(), _hedges()]),
            ("Budgets and waiting", [_budgets(), _sampling(), _pending()]),
        ),
    )


def _variables() -> list[Variable]:
    endpoints = 'label_values(streaming_eval_circuit_state{job="$job"}, endpoint)'
    return [
        *evaluator(),
        variable("endpoint", "Endpoint", endpoints)
        .multi(True)
        .include_all(True)
        .current(models.VariableOption(text="All", value="$__all")),
    ]


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate(streaming_eval_{metric}{{{_CHOSEN}}}{_INTERVAL}))"


def _circuits() -> Panel:
    about = About(
        "Circuits",
        "The worst state that a worker reported with the last batch; an open circuit sends nothing "
        "but a probe now and then.",
        "short",
    )
    coded = " or ".join(
        f'streaming_eval_circuit_state{{{_CHOSEN},state="{level.word}"}} * {level.number}'
        for level in CIRCUITS
    )
    return states(about, Query(f"sum without (state) ({coded})", "{{endpoint}}"), CIRCUITS)


def _openings() -> timeseries.Panel:
    about = About(
        "Openings and refusals per second",
        "Circuits that opened, and model calls that ended since theirs stayed open.",
        "cps",
    )
    return lines(
        about,
        Query(_rate("circuit_openings_total", "endpoint"), "{{endpoint}} opened"),
        Query(_rate("circuit_refusals_total", "endpoint"), "{{endpoint}} refused"),
    )


def _outcomes() -> timeseries.Panel:
    about = About("Requests per second", "HTTP requests by endpoint and outcome.", "reqps")
    expr = _rate("requests_total", "endpoint, outcome")
    return lines(about, Query(expr, "{{endpoint}} {{outcome}}"))


def _durations() -> timeseries.Panel:
    about = About(
        "Duration of requests",
        "Median and 99th percentile of HTTP requests, failed ones included.",
        "s",
    )
    buckets = _rate("request_duration_seconds_bucket", "le, endpoint")
    return lines(
        about,
        *(
            Query(f"histogram_quantile({share}, {buckets})", f"{{{{endpoint}}}} {name}")
            for share, name in ((0.5, "median"), (0.99, "99th percentile"))
        ),
    )


def _in_flight() -> timeseries.Panel:
    about = About(
        "Requests in flight",
        "The most at once in the last batch, against what its tasks allowed themselves. Stuck "
        "requests and hedges may lie above.",
        "short",
        _THIRD,
    )
    return lines(
        about,
        Query(f"streaming_eval_requests_in_flight{{{_CHOSEN}}}", "{{endpoint}} peak"),
        Query(f"streaming_eval_requests_in_flight_limit{{{_CHOSEN}}}", "{{endpoint}} limit"),
    )


def _quota() -> timeseries.Panel:
    about = About(
        "Requests per minute allowed",
        "By the quota as it stands after refusals, and as configured.",
        "short",
        _THIRD,
    )
    return lines(
        about,
        Query(f"streaming_eval_quota_requests_per_minute{{{_CHOSEN}}}", "{{endpoint}} now"),
        Query(
            f"streaming_eval_quota_limit_requests_per_minute{{{_CHOSEN}}}",
            "{{endpoint}} configured",
        ),
    )


def _quota_share() -> timeseries.Panel:
    about = About(
        "Quota given out",
        "Share of the configured quota, requests and tokens; refusals lower it.",
        "percentunit",
        _THIRD,
    )
    return lines(about, Query(f"streaming_eval_quota_ratio{{{_CHOSEN}}}", "{{endpoint}}"))


def _saved_tokens() -> timeseries.Panel:
    about = About(
        "Tokens saved per second", "Tokens of calls that the cache made needless.", "cps", _THIRD
    )
    expr = _rate("cache_saved_tokens_total", "endpoint, direction")
    return lines(about, Query(expr, "{{endpoint}} {{direction}}"))


def _saved_seconds() -> timeseries.Panel:
    about = About(
        "Waiting saved per second",
        "How long the calls took whose answers came from the cache, for each second that passes.",
        "s",
        _THIRD,
    )
    return lines(about, Query(_rate("cache_saved_seconds_total", "endpoint"), "{{endpoint}}"))


def _hedges() -> timeseries.Panel:
    about = About(
        "Hedges per second",
        "Second requests beside late ones; lost ones may have been paid for in vain.",
        "reqps",
        _THIRD,
    )
    expr = _rate("hedges_total", "endpoint, outcome")
    return lines(about, Query(expr, "{{endpoint}} {{outcome}}"))


def _budgets() -> timeseries.Panel:
    about = About(
        "Left of the budgets",
        "Share of each budget that is left until its UTC hour or day ends; empty without budgets.",
        "percentunit",
        _THIRD,
    )
    expr = 'streaming_eval_budget_remaining_ratio{job="$job"}'
    return lines(about, Query(expr, "{{unit}} per {{per}}, {{model}}"))


def _sampling() -> timeseries.Panel:
    about = About(
        "Samples asked about",
        "Probability with which the samples of the last batch were put to models under a budget.",
        "percentunit",
        _THIRD,
    )
    return lines(about, Query('streaming_eval_sampling_ratio{job="$job"}', "sampling rate"))


def _pending() -> timeseries.Panel:
    about = About(
        "Samples that wait",
        "For an answer that is late or failed for a passing reason; they are tried again.",
        "short",
        _THIRD,
    )
    return lines(about, Query('streaming_eval_pending_samples{job="$job"}', "waiting"))
