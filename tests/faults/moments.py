"""When a job is killed: seeded moments, most of them aimed at a step that a kill could break."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tests.faults.progress import Progress

EARLY_S = 15.0
BEFORE_THE_FIRST_BATCH = "before the first batch"
_LATEST_AFTER_AIM_S = 0.2
_MANY_CALLS = 16

# (when the aim was taken, now) -> whether this is the moment.
Reached = Callable[[Progress, Progress], bool]
AIMS: Mapping[str, Reached] = MappingProxyType(
    {
        BEFORE_THE_FIRST_BATCH: lambda was, now: now.score_started,
        "calls in flight": lambda was, now: now.in_flight >= _MANY_CALLS and now.spooled_bytes > 0,
        "answers committed, scores not": lambda was, now: now.scoring and now.answers > was.answers,
        "scores committed, batch not": lambda was, now: now.scoring and now.scores > was.scores,
        "score batch done": lambda was, now: now.score_done > was.score_done,
        "monitor at work": lambda was, now: now.monitoring and now.scores > was.scores,
        "estimates committed, batch not": lambda was, now: (
            now.monitoring and now.estimates > was.estimates
        ),
    }
)
_WHILE_CALLS_ARE_MADE = ("calls in flight", "answers committed, scores not")


@dataclass(frozen=True, slots=True)
class Moment:
    """When to kill one run of the job: at an aim, or at a time, whichever comes first.

    Attributes:
        aim: a name of `AIMS`, or nothing.
        at_s: seconds after the start of the process, or never.
        after_batches: score batches that this run commits before the aim is taken.
        wait_s: from the aimed step to the kill.
    """

    aim: str = ""
    at_s: float = float("inf")
    after_batches: int = 0
    wait_s: float = 0.0

    def __str__(self) -> str:
        if not self.aim:
            return "early"
        return f"{self.aim} (+{self.wait_s * 1_000:.0f} ms)" if self.wait_s else self.aim


def schedule(kills: int, seed: int) -> list[Moment]:
    """So many moments; the first two lie within 15 seconds of the start of the process.

    The endpoint is asked most in the beginning, so aims at its calls come before the others.
    """
    draw = random.Random(seed)
    early = [
        Moment(BEFORE_THE_FIRST_BATCH, at_s=EARLY_S),
        Moment(at_s=draw.uniform(3, EARLY_S)),
    ]
    calling = draw.sample(_WHILE_CALLS_ARE_MADE, len(_WHILE_CALLS_ARE_MADE))
    others = [n for n in AIMS if n not in (*_WHILE_CALLS_ARE_MADE, BEFORE_THE_FIRST_BATCH)]
    aims = calling + draw.sample(others, len(others))
    late = [_aimed(aims[i % len(aims)], draw) for i in range(max(0, kills - len(early)))]
    return [*early, *late][:kills]


def _aimed(aim: str, draw: random.Random) -> Moment:
    # What lies between two commits is over in milliseconds.
    wait_s = 0.0 if aim.endswith("not") else draw.uniform(0, _LATEST_AFTER_AIM_S)
    return Moment(aim, after_batches=draw.randint(0, 2), wait_s=wait_s)
