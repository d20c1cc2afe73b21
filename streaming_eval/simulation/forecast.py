"""What to expect of a scenario: delays, false alarms, widths, and when the first verdict is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from streaming_eval.alerting import Baseline, bounds
from streaming_eval.alerting.detector import null_mean
from streaming_eval.simulation.scenario import DAY_MS, HOUR_MS, WEEK_MS, Scenario
from streaming_eval.simulation.shares import tilted
from streaming_eval.simulation.watching import NEVER, Watch, run
from streaming_eval.stats.bounded import bounded_intervals
from streaming_eval.stats.levels import Counts, Floats
from streaming_eval.stats.mixture_bet import MixtureBet
from streaming_eval.stats.running_mean import Prediction, running_intervals

MONTH_MS = 30 * DAY_MS
_WIDTHS_AT_H = (1, 24, 168)
_MOST_N = 1e9
_SLICE = 1_000  # panes whose totals are drawn at a time while baselines fill

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Detection:
    """How a drop that begins at one moment and stays is found; None: not within the weeks.

    Attributes:
        drop: loss of the mean, on [0, 1].
        within_day: share of the series whose alarm opened within a day of the drop.
        within_week: likewise within a week.
    """

    drop: float
    within_day: float
    within_week: float
    median_samples: float | None
    median_hours: float | None
    p95_samples: float | None
    p95_hours: float | None


@dataclass(frozen=True, slots=True)
class Width:
    """The interval of `n` scores reaches as far as `half_width` to either side, on [0, 1]."""

    hours: float
    n: float
    half_width: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect. Means and drops are on [0, 1], where 1 is good.

    Attributes:
        log_threshold: log evidence that opens an alarm.
        baseline_hours: until the baseline is pinned, median; 0 for a constant.
        baseline_bound: what its mean is taken to be, median.
        null_mean: smallest mean that is not called a drop, median.
        sufficient_n: scores since the baseline at which `insufficient` ends; None: never.
        sufficient_hours: from the series' first score until then.
        false_pages_bound: false alarms of all series in 30 days, on average at most.
        false_alarms_seen: simulated series without a drop whose alarm opened.
        false_pages_seen: the same as false alarms of all series in 30 days.
    """

    log_threshold: float
    baseline_hours: float
    baseline_bound: float
    null_mean: float
    sufficient_n: float | None
    sufficient_hours: float | None
    false_pages_bound: float
    false_alarms_seen: int
    false_pages_seen: float
    detections: tuple[Detection, ...]
    widths: tuple[Width, ...]


def forecast(scenario: Scenario, tell: Progress = lambda what, share: None) -> Forecast:
    """Simulates the scenario.

    A drop begins a day after its series' baseline was pinned (earlier if there is less than a day
    of `weeks`), in series that have raised no alarm until then.

    Args:
        scenario: what to simulate.
        tell: is told what is being simulated, and which share of it is done.
    """
    rng = np.random.default_rng(scenario.seed)
    baselines, hours = _baselines(scenario, rng)
    plan, rates = scenario.plan, scenario.per_pane * np.asarray(scenario.shares)
    watch = Watch.begin(baselines, plan)
    lead = min(DAY_MS // plan.pane_ms, scenario.panes - 1)
    clean = partial(tell, "no drop")
    before = run(watch, rates, lead, plan.log_threshold, rng, lambda share: None)
    after = run(before.watch, rates, scenario.panes - lead, plan.log_threshold, rng, clean)
    alarmed = int(((before.panes != NEVER) | (after.panes != NEVER)).sum())
    calm = before.panes == NEVER
    quiet = before.watch.only(calm) if calm.any() else Watch.begin(baselines, plan)
    enough, frozen = _sufficient_n(scenario), [Baseline(counts) for counts in baselines]
    months = scenario.weeks * WEEK_MS / MONTH_MS
    return Forecast(
        log_threshold=plan.log_threshold,
        baseline_hours=float(np.median(hours)),
        baseline_bound=float(np.median([bounds(one, plan)[0] for one in frozen])),
        null_mean=float(np.median([null_mean(one, 0, plan) for one in frozen])),
        sufficient_n=enough,
        sufficient_hours=_hours_until(enough, float(np.median(hours)), scenario),
        false_pages_bound=MONTH_MS / scenario.once_per_ms,
        false_alarms_seen=alarmed,
        false_pages_seen=alarmed / scenario.streams * scenario.series / months,
        detections=tuple(_detection(scenario, d, quiet, rng, tell) for d in scenario.drops),
        widths=tuple(_width(scenario, hours) for hours in _WIDTHS_AT_H),
    )


def _baselines(
    scenario: Scenario, rng: np.random.Generator
) -> tuple[list[tuple[int, ...]], Floats]:
    """Each series' baseline counts, and the hours it took to collect them."""
    needed = scenario.plan.baseline_samples
    if needed is None:
        return [()] * scenario.streams, np.zeros(scenario.streams)
    n, panes = np.zeros(scenario.streams, np.int64), np.zeros(scenario.streams, np.int64)
    while (filling := n < needed).any():
        arriving = rng.poisson(scenario.per_pane, (int(filling.sum()), _SLICE))
        so_far = n[filling, None] + arriving.cumsum(axis=1)
        full = so_far >= needed
        last = np.where(full.any(axis=1), full.argmax(axis=1), _SLICE - 1)
        n[filling] = so_far[np.arange(len(last)), last]
        panes[filling] += last + 1
    counts: Counts = rng.multinomial(n, scenario.shares)
    return [tuple(row) for row in counts.tolist()], panes * scenario.plan.pane_ms / HOUR_MS


def _detection(
    scenario: Scenario, drop: float, quiet: Watch, rng: np.random.Generator, tell: Progress
) -> Detection:
    plan = scenario.plan
    rates = scenario.per_pane * tilted(scenario.shares, scenario.mean - drop)
    told = partial(tell, f"drop of {drop:g}")
    found = run(quiet, rates, scenario.panes, plan.log_threshold, rng, told)
    hours = np.where(found.panes == NEVER, np.inf, found.panes * plan.pane_ms / HOUR_MS)
    samples = np.where(found.panes == NEVER, np.inf, found.samples)
    return Detection(
        drop=drop,
        within_day=float((hours <= DAY_MS / HOUR_MS).mean()),
        within_week=float((hours <= WEEK_MS / HOUR_MS).mean()),
        median_samples=_quantile(samples, 0.5),
        median_hours=_quantile(hours, 0.5),
        p95_samples=_quantile(samples, 0.95),
        p95_hours=_quantile(hours, 0.95),
    )


def _quantile(values: Floats, q: float) -> float | None:
    value = float(np.quantile(values, q, method="inverted_cdf"))
    return value if np.isfinite(value) else None


def _width(scenario: Scenario, hours: float) -> Width:
    n = scenario.samples_per_hour * hours
    bet = MixtureBet(scenario.alpha, scenario.expected_n)
    lower, upper = bounded_intervals([n * np.asarray(scenario.shares)], bet)
    return Width(hours, n, float(upper[0] - lower[0]) / 2)


def _sufficient_n(scenario: Scenario) -> float | None:
    """Scores at which the interval since the baseline reaches no further than the effect."""
    low, high = 1.0, _MOST_N
    if not _suffices(scenario, high):
        return None
    while high - low > 1.0:
        middle = float(np.sqrt(low * high)) if high > 2 * low else (low + high) / 2
        low, high = (low, middle) if _suffices(scenario, middle) else (middle, high)
    return float(np.ceil(high))


def _suffices(scenario: Scenario, n: float) -> bool:
    """Whether `n` scores that fall exactly as expected are enough for a verdict."""
    plan, shares = scenario.plan, np.asarray(scenario.shares)
    expected = (
        Prediction.of_constant(plan.baseline_constant)
        if plan.baseline_constant is not None
        else Prediction.of((plan.baseline_samples or 0) * shares)
    )
    lower, upper = running_intervals([n * shares], [expected], scenario.alpha, scenario.expected_n)
    return bool(upper[0] - lower[0] <= 2 * plan.smallest_effect)


def _hours_until(n: float | None, baseline_hours: float, scenario: Scenario) -> float | None:
    return None if n is None else baseline_hours + n / scenario.samples_per_hour
