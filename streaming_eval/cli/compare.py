"""The verb that compares two models on the same samples."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Annotated

import typer

from streaming_eval.cli.guard import EXIT_FAILURE
from streaming_eval.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    OutputOption,
    SetOption,
    VerboseOption,
    settings_from,
)
from streaming_eval.cli.output import Output, busy, say, say_json, say_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streaming_eval.results.comparing import ScorerVerdict
    from streaming_eval.settings import Settings
    from streaming_eval.stats.interval import Interval

_STYLES = {"worse": "bold red", "better": "green"}
_PRODUCTION = "production"


def compare(  # noqa: PLR0913 - one parameter per argument and option
    candidate: Annotated[str, typer.Argument(help="The model that is asked about.")],
    against: Annotated[
        str, typer.Argument(help="The other model, or `production` for all production models.")
    ],
    scorer: Annotated[str | None, typer.Option(help="Only this scorer.")] = None,
    segment: Annotated[
        str | None,
        typer.Option(metavar="NAME=VALUE", help="Only samples with this value of this segment."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Only samples from then on: RFC 3339, or a duration ago, as in 7d."
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    changes: SetOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Is a model worse than another on the samples that both have answered?

    Reads the table of scores, while a job runs or after. Exit 1 when it is worse by any scorer.
    """
    chosen, since_ms = segment_pair(segment), _since_ms(since)
    settings = settings_from(config, changes, strict=False)
    from streaming_eval.adapters.score_pairs import Wanted
    from streaming_eval.results.comparing import Verdict, compare_models

    wanted = Wanted(candidate, named_models(against, settings), scorer, chosen, since_ms)
    monitor = settings.monitor
    with busy("Reading the scores ..."):
        found = compare_models(
            settings.storage.root, wanted, monitor.alpha, monitor.expected_samples_per_window
        )
    if output is Output.JSON:
        say_json(
            {
                "candidate": candidate,
                "against": list(wanted.against),
                "alpha": monitor.alpha,
                "scorers": [_as_json(each) for each in found],
            }
        )
    else:
        _say(found, candidate, against, monitor.alpha)
    if any(each.verdict is Verdict.WORSE for each in found):
        raise typer.Exit(EXIT_FAILURE)


def named_models(against: str, settings: Settings) -> tuple[str, ...]:
    """The models that AGAINST stands for."""
    return tuple(settings.production_models) if against == _PRODUCTION else (against,)


def segment_pair(text: str | None) -> tuple[str, str] | None:
    """Name and value of --segment; None for all samples."""
    if text is None:
        return None
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"--segment: {text!r} is not NAME=VALUE, such as tier=pro")
    return name, value


def _since_ms(text: str | None) -> int | None:
    """Epoch milliseconds of an instant, or of a duration before now."""
    if text is None:
        return None
    from streaming_eval.errors import RecordError
    from streaming_eval.formats.rfc3339 import epoch_ms
    from streaming_eval.settings import duration_ms

    try:
        return time.time_ns() // 1_000_000 - int(str(duration_ms(text)))
    except ValueError:
        pass
    try:
        return epoch_ms(text)
    except RecordError:
        raise typer.BadParameter(
            f"--since: {text!r} is neither a duration such as 7d nor an instant such as "
            "2026-01-31T00:00:00Z"
        ) from None


def _say(found: Sequence[ScorerVerdict], candidate: str, against: str, alpha: float) -> None:
    say(
        f"{candidate} against {against}, {1 - alpha:.0%} intervals of own minus other's value.\n\n"
        "At any time: right however often this report is read, and while pairs still come."
    )
    head = ("verdict", "scorer", "pairs", "effect", "interval", "p worse", "p better")
    say_table(
        head, [_row(each) for each in found], [_STYLES.get(each.verdict, "") for each in found]
    )
    for each in found:
        if each.lone.p <= alpha:
            say(_lone(each, candidate, against))
    if means := [_mean_row(each) for each in found if each.comparison.mean]:
        say("\nMeans, which add up where medians do not. Nearly right at any time, for many pairs.")
        say_table(("scorer", "mean difference", "interval", "note"), means)
    say(
        "\nOnce: classical tests, right only for one look at a number of pairs that was planned. "
        "Do not stop by these."
    )
    say_table(
        ("scorer", "test", "p", "effect size", "bootstrap BCa of the mean"),
        [_one_look_row(each) for each in found],
    )


def _lone(each: ScorerVerdict, candidate: str, against: str) -> str:
    """That the pairs are no fair sample."""
    lone = each.lone
    return (
        f"\nBy {each.scorer}, {lone.other:,} samples lack a score of {candidate} alone, and "
        f"{lone.candidate:,} one of {against} alone: not by chance (p {_p(lone.p)}). What is "
        "missing may be harder, or easier, than the pairs."
    )


def _row(each: ScorerVerdict) -> tuple[str, ...]:
    found = each.comparison
    effect = "none" if found.effect is None else f"{found.effect:+.4g}"
    return (
        each.verdict.value,
        each.scorer,
        f"{found.n:,}",
        f"{effect} ({found.measure})",
        _limits(found.interval),
        _p(each.p_worse) if each.has_direction else f"{_p(each.p_worse)} (lower)",
        _p(each.p_better) if each.has_direction else f"{_p(each.p_better)} (higher)",
    )


def _mean_row(each: ScorerVerdict) -> tuple[str, ...]:
    mean = each.comparison.mean
    assert mean is not None
    few, skewed = "too few pairs", "too skewed to be believed: see the median"
    return (
        each.scorer,
        f"{mean.effect:+.4g}",
        "none" if mean.interval is None else _limits(mean.interval),
        few if mean.interval is None else skewed if mean.skewed else "",
    )


def _one_look_row(each: ScorerVerdict) -> tuple[str, ...]:
    test, bootstrap = each.comparison.one_look, each.comparison.bootstrap
    size = "none" if test.effect_size is None else f"{test.effect_size:.3g}"
    limits = f" {_limits(test.effect_interval, sign='')}" if test.effect_interval else ""
    bca = None if bootstrap is None else bootstrap.bca
    return (
        each.scorer,
        test.test,
        "none" if math.isnan(test.p) else _p(test.p),
        f"{test.effect_name} {size}{limits}",
        "none" if bca is None else _limits(bca),
    )


def _p(value: float) -> str:
    return f"{value:.2g}"


def _limits(interval: Interval, sign: str = "+") -> str:
    return f"{interval.lower:{sign}.4g} … {interval.upper:{sign}.4g}"


def _as_json(each: ScorerVerdict) -> dict[str, object]:
    from dataclasses import asdict

    from streaming_eval.stats.classical import VALID

    found = each.comparison
    bootstrap = None if found.bootstrap is None else asdict(found.bootstrap)
    record = {
        "scorer": each.scorer,
        "evaluation_version": each.evaluation_version,
        "verdict": each.verdict.value,
        "has_direction": each.has_direction,
        "kind": found.kind.value,
        "pairs": found.n,
        "any_time": {
            "valid": "for any number of looks",
            "measure": found.measure,
            "effect": found.effect,
            "interval": asdict(found.interval),
            "mean": None if found.mean is None else asdict(found.mean),
            "worse": asdict(found.worse) | {"p": found.worse.p, "p_all_scorers": each.p_worse},
            "better": asdict(found.better) | {"p": found.better.p, "p_all_scorers": each.p_better},
        },
        "lone": asdict(each.lone) | {"log_evidence": each.lone.log_evidence, "p": each.lone.p},
        "one_look": {"valid": VALID, **asdict(found.one_look), "bootstrap": bootstrap},
    }
    return {name: _finite(value) for name, value in record.items()}


def _finite(value: object) -> object:
    """JSON knows no infinity: null stands for an end that is open and for what is not known."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
