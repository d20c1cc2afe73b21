"""The demo's closing words."""

from __future__ import annotations

from rich.console import Console

from streaming_eval.alerting import AlertKind
from streaming_eval.local.demo_summary import AlertSummary, Summary
from streaming_eval.local.sample_replay import PRODUCTION_MODEL
from streaming_eval.records import ALL_SEGMENTS

PROMETHEUS_ALERT = (
    'ALERTS{alertname="StreamingEvalQualityRegressed",alertstate="firing",'
    f'model="{PRODUCTION_MODEL}",segment="{ALL_SEGMENTS}",scorer="contains"}}'
)


def tell(summary: Summary, console: Console, *, complete: bool) -> bool:
    """Prints what happened.

    Returns:
        True when the swap was detected on the watched series and nothing else raised an alert.
    """
    console.print()
    detected = next((a for a in summary.alerts if _watched(a)), None)
    early = [a for a in summary.alerts if a.seconds_after_swap is None or a.seconds_after_swap < 0]
    null_pair = [
        a for a in summary.alerts if a.model == "llama-2-13b" and a.against == "llama-2-7b"
    ]
    if summary.swap_at is not None:
        console.print(
            f"Swap      production changed from GPT-4 to Llama-2-7B at {summary.swap_at}, "
            f"after {summary.swapped_after_samples:,} samples"
        )
    if detected is not None and detected.samples_after_swap is not None:
        console.print(
            f"Detected  {detected.samples_after_swap:,} samples and "
            f"{detected.seconds_after_swap:.1f} s after the swap: {PRODUCTION_MODEL} / contains "
            f"{detected.mean:.3f} since its baseline of {detected.baseline_mean:.3f}; estimated to "
            f"have begun at {detected.began_at}"
        )
    elif complete:
        console.print("Detected  [bold red]not detected[/]")
    console.print(f"Alerts    {len(summary.alerts)} in all, {len(early)} before the swap")
    for alert in summary.alerts:
        console.print(f"            {_line(alert)}", highlight=False)
    console.print(
        f"Null pair Llama-2-13B against Llama-2-7B on the same samples raised "
        f"{'nothing' if not null_pair else f'{len(null_pair)} alerts'} (smallest effect 2 points)"
    )
    if summary.prometheus_alert_fired is not None:
        fired = "had" if summary.prometheus_alert_fired else "did not have"
        console.print(f"Prometheus {fired} StreamingEvalQualityRegressed firing")
    console.print(
        f"Counts    {summary.samples_produced:,} samples produced, {summary.samples_scored:,} "
        f"scored, {summary.dead_letters:,} dead letters; {summary.requests_sent:,} requests sent "
        f"for {summary.distinct_cache_keys:,} distinct cache keys, {summary.cache_hits:,} cache "
        "hits"
    )
    return (
        detected is not None
        and not early
        and not null_pair
        and summary.prometheus_alert_fired is not False
    )


def _watched(alert: AlertSummary) -> bool:
    return (alert.kind, alert.model, alert.against, alert.segment, alert.scorer) == (
        AlertKind.REGRESSION,
        PRODUCTION_MODEL,
        "",
        ALL_SEGMENTS,
        "contains",
    )


def _line(alert: AlertSummary) -> str:
    model = f"{alert.model} against {alert.against}" if alert.against else alert.model
    delay = "" if alert.seconds_after_swap is None else f", {alert.seconds_after_swap:.1f} s"
    kind = "drift: " if alert.kind == AlertKind.DRIFT else ""
    return f"{kind}{model} / {alert.scorer} / {alert.segment}{delay}"
