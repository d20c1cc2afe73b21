"""From the options of `simulate`, and a configuration if there is one, to a scenario."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from streaming_eval.cli.wishes import Kind, Wishes
from streaming_eval.errors import SettingsError

if TYPE_CHECKING:
    from streaming_eval.alerting import SeriesPlan
    from streaming_eval.settings import MonitorSettings, Settings
    from streaming_eval.simulation import Scenario
    from streaming_eval.stats.levels import Scale

_USUAL_MEAN = 0.9  # of the range
_USUAL_DROPS = (0.05, 0.1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A scenario, and the scale on which people speak of it."""

    scenario: Scenario
    scale: Scale
    name: str

    def own(self, part: float) -> float:
        """A difference on [0, 1] as one on the own scale."""
        return part * (self.scale.high - self.scale.low)

    def raw(self, unit: float) -> float:
        """A mean on [0, 1] on the own scale."""
        return float(self.scale.raw(unit))

    def question(self) -> dict[str, str]:
        """What is simulated, in words."""
        from streaming_eval.settings import duration_text

        s, scale = self.scenario, self.scale
        return {
            "kind": f"{self.name}, {scale.low:g} to {scale.high:g}, mean {self.raw(s.mean):.4g}",
            "volume": f"{s.samples_per_hour:,.10g} an hour in each series",
            "budget": f"one false alarm per {duration_text(s.once_per_ms)}, shared by {s.series:,}",
            "clock": f"panes of {duration_text(s.plan.pane_ms)}",
            "smallest effect": f"{self.own(s.plan.smallest_effect):.3g}",
        }


@dataclass(frozen=True, slots=True)
class _Watched:
    """Whose scores are simulated, and how they are watched."""

    name: str
    scale: Scale
    plan: SeriesPlan
    series: int
    monitor: MonitorSettings


def read(wishes: Wishes) -> Asked:
    """The scenario that the options ask for.

    Raises:
        SettingsError: the configuration is wrong.
        typer.BadParameter: an option is.
    """
    try:
        watched = _without_file(wishes) if wishes.config is None else _from_file(wishes)
        return _asked(wishes, watched)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _asked(wishes: Wishes, watched: _Watched) -> Asked:
    from streaming_eval.simulation import Scenario

    scale = watched.scale
    span = scale.high - scale.low
    own = tuple(drop / span for drop in wishes.drops)
    plan = watched.plan
    if wishes.smallest_effect is not None:
        plan = replace(plan, smallest_effect=wishes.smallest_effect / span)
    scenario = Scenario(
        plan=plan,
        shares=_shares(wishes, scale),
        samples_per_hour=wishes.samples_per_hour,
        drops=own or _USUAL_DROPS,
        series=watched.series,
        once_per_ms=watched.monitor.false_alarms.once_per,
        alpha=watched.monitor.alpha,
        expected_n=watched.monitor.expected_samples_per_window,
        weeks=wishes.weeks,
        streams=wishes.streams,
        seed=wishes.seed,
    )
    return Asked(scenario, scale, watched.name)


def _shares(wishes: Wishes, scale: Scale) -> tuple[float, ...]:
    """Of each level, the worst first."""
    import numpy as np

    from streaming_eval.simulation import spread

    if wishes.shares is None:
        if wishes.mean is None:
            return tuple(spread(scale.levels, _USUAL_MEAN).tolist())
        if not scale.low <= wishes.mean <= scale.high:
            raise ValueError(
                f"--mean must lie in [{scale.low:g}, {scale.high:g}], got {wishes.mean:g}"
            )
        return tuple(spread(scale.levels, float(scale.unit(wishes.mean))).tolist())
    if wishes.mean is not None:
        raise ValueError("--shares sets the mean; leave out --mean")
    try:
        given = np.array([float(part) for part in wishes.shares.split(",")])
    except ValueError:
        raise ValueError(f"--shares: {wishes.shares!r} is not a list such as .1,.2,.7") from None
    if given.size != scale.levels or given.min() < 0 or given.sum() <= 0:
        raise ValueError(
            f"--shares needs {scale.levels} numbers, none below 0, got {wishes.shares}"
        )
    return tuple((given / given.sum()).tolist())


def _monitor_changes(wishes: Wishes) -> dict[str, str]:
    """The options that are settings."""
    changes = {
        "monitor.pane": wishes.pane,
        "monitor.false_alarms.once_per": wishes.once_per,
        "monitor.baseline.samples": wishes.baseline_samples,
    }
    return {key: str(value) for key, value in changes.items() if value is not None}


def _from_file(wishes: Wishes) -> _Watched:
    from streaming_eval.configuration import load_settings
    from streaming_eval.pipeline.plan import monitor_plan
    from streaming_eval.pipeline.series_counts import alarmed_series

    assert wishes.config is not None
    if wishes.kind is not None or wishes.series is not None:
        raise ValueError("--kind and --series come from the configuration; leave them out")
    settings = load_settings(wishes.config, _monitor_changes(wishes))
    plan = monitor_plan(settings)
    label = _scorer(settings, wishes.scorer)
    return _Watched(
        label, plan.scales[label], plan.own[label], alarmed_series(settings), settings.monitor
    )


def _scorer(settings: Settings, wanted: str | None) -> str:
    labels = [scorer.label for scorer in settings.scorers if scorer.raises_alerts]
    if not labels:
        raise SettingsError("scorers: none of them raises alerts, so there is nothing to simulate")
    if wanted is not None and wanted not in labels:
        raise ValueError(f"--scorer: got {wanted}; scorers that raise alerts: {', '.join(labels)}")
    return wanted or labels[0]


def _without_file(wishes: Wishes) -> _Watched:
    from streaming_eval.alerting import SeriesPlan, fleet_thresholds
    from streaming_eval.stats.grid import Grid

    if wishes.scorer is not None:
        raise ValueError("--scorer names a scorer of --config, which is not given")
    monitor = _monitor(wishes)
    scale = _scale(wishes)
    series = 1 if wishes.series is None else wishes.series
    thresholds = fleet_thresholds(monitor.false_alarms.once_per, monitor.pane, series)
    plan = SeriesPlan(
        grid=Grid(scale.levels),
        pane_ms=monitor.pane,
        window_ms=monitor.window,
        baseline_samples=monitor.baseline.samples,
        baseline_constant=None,
        smallest_effect=monitor.smallest_effect,
        log_threshold=thresholds.log_threshold,
        log_suspect=thresholds.log_suspect,
        alarm=True,
    )
    return _Watched((wishes.kind or Kind.PASS_RATE).value, scale, plan, series, monitor)


def _monitor(wishes: Wishes) -> MonitorSettings:
    """The settings' own defaults and limits, with what the options change."""
    from pydantic import ValidationError

    from streaming_eval.settings import MonitorSettings

    given: dict[str, object] = {}
    if wishes.pane is not None:
        given |= {"pane": wishes.pane, "window": wishes.pane}
    if wishes.once_per is not None:
        given["false_alarms"] = {"once_per": wishes.once_per}
    if wishes.baseline_samples is not None:
        given["baseline"] = {"samples": wishes.baseline_samples}
    try:
        return MonitorSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        option = {"samples": "baseline_samples"}.get(str(first["loc"][-1]), str(first["loc"][-1]))
        wrong = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"--{option.replace('_', '-')}: {wrong}") from None


def _scale(wishes: Wishes) -> Scale:
    from streaming_eval.scoring.definition import BINARY_LEVELS, CONTINUUM_LEVELS
    from streaming_eval.stats.levels import Scale

    if wishes.kind is Kind.GRADES:
        return Scale(wishes.low, wishes.high, True, wishes.high - wishes.low + 1)
    levels = CONTINUUM_LEVELS if wishes.kind is Kind.CONTINUUM else BINARY_LEVELS
    return Scale(0.0, 1.0, True, levels)
