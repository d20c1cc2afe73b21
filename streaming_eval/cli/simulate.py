"""The verb that tries one's own rates, volumes and budget before an alarm is trusted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streaming_eval.cli.options import OutputOption, VerboseOption
from streaming_eval.cli.output import Output, progress, say_json, say_table
from streaming_eval.cli.scenario import read
from streaming_eval.cli.wishes import Kind, Wishes

if TYPE_CHECKING:
    from streaming_eval.cli.scenario import Asked
    from streaming_eval.simulation import Detection, Forecast


def simulate(  # noqa: PLR0913 - one parameter per option
    kind: Annotated[
        Kind | None,
        typer.Option(help="What a score is, without a configuration; pass-rate by default."),
    ] = None,
    mean: Annotated[
        float | None,
        typer.Option(help="Mean score while nothing is wrong; .9 of the range by default."),
    ] = None,
    shares: Annotated[
        str | None,
        typer.Option(
            metavar="SHARES",
            help="Share of each grade, worst first, as in .1,.2,.7; sets the mean.",
        ),
    ] = None,
    low: Annotated[int, typer.Option(help="Worst grade, for --kind grades.")] = 1,
    high: Annotated[int, typer.Option(help="Best grade, for --kind grades.")] = 3,
    samples_per_hour: Annotated[
        float, typer.Option(help="Scores of one series that arrive in an hour.")
    ] = 1_000,
    drop: Annotated[
        list[float] | None,
        typer.Option(help="Loss to be found, on the score's scale; repeatable. 5% and 10% of it."),
    ] = None,
    series: Annotated[
        int | None, typer.Option(help="Series that share the budget; 1 without a configuration.")
    ] = None,
    once_per: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="Budget: time per false alarm of all series, at least."
        ),
    ] = None,
    pane: Annotated[
        str | None, typer.Option(metavar="DURATION", help="The alarm's clock, as in 1m.")
    ] = None,
    baseline_samples: Annotated[
        int | None, typer.Option(help="Scores that make the baseline.")
    ] = None,
    smallest_effect: Annotated[
        float | None, typer.Option(help="Loss that is not worth a page, on the score's scale.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Take all that is not given here from this file."),
    ] = None,
    scorer: Annotated[
        str | None, typer.Option(help="Which scorer of --config; its first that raises alerts.")
    ] = None,
    weeks: Annotated[int, typer.Option(help="How long each series is watched.")] = 4,
    streams: Annotated[int, typer.Option(help="How many series are simulated.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Try your own traffic and budget: how soon a drop is found, how many false pages to expect.

    Nothing is read but the configuration, and nothing is written.
    """
    asked = read(
        Wishes(
            kind=kind,
            mean=mean,
            shares=shares,
            low=low,
            high=high,
            samples_per_hour=samples_per_hour,
            drops=tuple(drop or ()),
            series=series,
            once_per=once_per,
            pane=pane,
            baseline_samples=baseline_samples,
            smallest_effect=smallest_effect,
            config=config,
            scorer=scorer,
            weeks=weeks,
            streams=streams,
            seed=seed,
        )
    )
    from streaming_eval.simulation import forecast

    with progress() as tell:
        found = forecast(asked.scenario, tell)
    if output is Output.JSON:
        say_json({"question": asked.question(), "forecast": asdict(found)})
    else:
        say_table(("", "what", "expected"), _rows(asked, found))


def _rows(asked: Asked, found: Forecast) -> list[tuple[str, str, str]]:
    scenario = asked.scenario
    fleet = "1 series" if scenario.series == 1 else f"{scenario.series:,} series"
    return [
        *(("scores", what, text) for what, text in asked.question().items()),
        *_baseline(asked, found),
        *(
            ("drop", f"of {asked.own(d.drop):.3g}", _found(d, scenario.weeks))
            for d in found.detections
        ),
        (
            "false pages",
            f"in 30 days, all {fleet}",
            f"at most {found.false_pages_bound:.2g} on average; simulated "
            f"{found.false_pages_seen:.2g} ({found.false_alarms_seen} of {scenario.streams} series "
            f"in {scenario.weeks} weeks each)",
        ),
        *(
            (
                "interval",
                f"after {_time(w.hours)} ({w.n:,.0f} scores)",
                f"mean +- {asked.own(w.half_width):.2g}",
            )
            for w in found.widths
        ),
    ]


def _baseline(asked: Asked, found: Forecast) -> list[tuple[str, str, str]]:
    plan = asked.scenario.plan
    bound, null = asked.raw(found.baseline_bound), asked.raw(found.null_mean)
    opens = f"the alarm opens at log evidence {found.log_threshold:.1f}"
    bar = f"a drop is a mean beyond {null:.4g}; {opens}"
    if plan.baseline_samples is None:
        rows = [("baseline", f"constant {bound:.4g}", bar)]
    else:
        rows = [
            (
                "baseline",
                f"{plan.baseline_samples:,} scores",
                f"after {_time(found.baseline_hours)}",
            ),
            ("baseline", f"taken to be {bound:.4g}", bar),
        ]
    if found.sufficient_n is None or found.sufficient_hours is None:
        verdict = "never: with no smallest effect, no interval is narrow enough"
    else:
        verdict = (
            f"after {_time(found.sufficient_hours)} ({found.sufficient_n:,.0f} since the baseline)"
        )
    return [*rows, ("verdict", "no longer insufficient", verdict)]


def _found(detection: Detection, weeks: int) -> str:
    shares = f"found {detection.within_day:.0%} within a day, {detection.within_week:.0%} in a week"
    typical = _delay(detection.median_samples, detection.median_hours, weeks)
    late = _delay(detection.p95_samples, detection.p95_hours, weeks)
    return f"{shares}; median {typical}, 95% {late}"


def _delay(samples: float | None, hours: float | None, weeks: int) -> str:
    if samples is None or hours is None:
        return f"more than {weeks} weeks"
    return f"{samples:,.0f} scores ({_time(hours)})"


def _time(hours: float) -> str:
    """Hours as people say them.

    >>> _time(0.25), _time(1), _time(30), _time(168)
    ('15 min', '1 h', '30 h', '7 days')
    """
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.3g} h" if hours < 72 else f"{hours / 24:.3g} days"
