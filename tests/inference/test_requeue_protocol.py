"""Every sample is scored exactly once, whenever the driver is killed: the two commits, modelled.

`Driver` is what a driver does with its tables: `batch` for records from the topic, `retries` for
those that wait. It is killed at any of its steps; a new one knows only what was committed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.inference.requeue import (
    Failure,
    Pending,
    Place,
    RequeueLimits,
    Verdict,
    due,
    place,
    taken_before,
    verdict,
    waiting,
)
from streaming_eval.records import KafkaRecord

LIMITS = RequeueLimits(max_tries=3, first_pause_ms=10, longest_pause_ms=20)
BATCHES, RETRIES = "query", "query/retries"


class Killed(Exception):  # noqa: N818 - not an error: what happens to a driver
    pass


@dataclass
class Table:
    """Rows by the application and version of their commit; an empty append commits nothing."""

    commits: dict[tuple[str, int], list[Pending]] = field(default_factory=dict)

    def append(self, rows: Sequence[Pending], app: str, version: int) -> None:
        if rows and (app, version) not in self.commits:
            self.commits[app, version] = list(rows)

    def rows(self, *, but: tuple[str, int] | None = None) -> list[Pending]:
        return [row for key, rows in self.commits.items() if key != but for row in rows]

    def newest(self, app: str) -> int:
        return max((version for name, version in self.commits if name == app), default=-1)


@dataclass
class World:
    """What outlives the driver. A score is modelled as the record it belongs to."""

    topic: list[list[KafkaRecord]]
    outcome: Callable[[KafkaRecord], str | None]
    pending: Table = field(default_factory=Table)
    scores: Table = field(default_factory=Table)
    offsets_committed: int = 0
    now_ms: int = 0


class Driver:
    def __init__(self, world: World, step: Callable[[], None]) -> None:
        self._world, self._step = world, step

    def batch(self) -> None:
        """The next batch of the topic, which is the same one until it is marked as done."""
        number = self._world.offsets_committed
        self._run(BATCHES, number, self._world.topic[number], {})
        self._step()
        self._world.offsets_committed += 1

    def retries(self) -> None:
        """A batch of what waits; an interrupted one comes first, with what it had taken."""
        world = self._world
        number = world.pending.newest(RETRIES)
        if number > world.scores.newest(RETRIES):
            mine = world.pending.commits[RETRIES, number]
            before = waiting(world.pending.rows(but=(RETRIES, number)))
            self._run(RETRIES, number, (), taken_before(mine, before))
        taken = due(waiting(world.pending.rows()), world.now_ms, LIMITS, 4)
        if taken:
            number = max(number, world.scores.newest(RETRIES)) + 1
            self._run(RETRIES, number, (), taken)

    def _run(
        self, app: str, number: int, fresh: Iterable[KafkaRecord], taken: dict[Place, Pending]
    ) -> None:
        world = self._world
        if (app, number) in world.scores.commits:
            return
        records = [*fresh, *(entry.record for entry in taken.values())]
        entries = world.pending.commits.get((app, number))
        if entries is None:
            reasons = [(r, world.outcome(r)) for r in records]
            failed = {place(r): Failure(r, reason) for r, reason in reasons if reason is not None}
            self._step()
            decided = verdict(failed, taken, world.now_ms, LIMITS)
            world.pending.append(decided.entries, app, number)
        else:
            decided = Verdict.earlier(entries)
        self._step()
        kept = [r for r in records if place(r) not in decided.held]
        world.scores.append([Pending(r, 0) for r in kept], app, number)
        self._step()


@settings(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    kills=st.sets(st.integers(0, 60)),
    failures=st.lists(st.sampled_from([None, "timeout", "not_begun"]), max_size=80),
    order=st.lists(st.booleans(), max_size=20),
)
def test_each_sample_is_scored_exactly_once_and_tried_no_more_than_allowed(
    sizes: list[int], kills: set[int], failures: list[str | None], order: list[bool]
) -> None:
    offsets = iter(range(sum(sizes)))
    topic = [[KafkaRecord("t", 0, next(offsets), 0, None, b"{}") for _ in range(n)] for n in sizes]
    script, turns, steps = iter(failures), iter(order), iter(range(10**6))

    def step() -> None:
        if next(steps) in kills:
            raise Killed

    world = World(topic, lambda _: next(script, None))
    driver = Driver(world, step)
    for _ in range(300):
        world.now_ms += 7
        try:
            if world.offsets_committed < len(topic) and next(turns, True):
                driver.batch()
            else:
                driver.retries()
        except Killed:
            driver = Driver(world, step)
    scored = Counter(row.record.offset for row in world.scores.rows())
    assert scored == Counter(range(sum(sizes)))
    assert waiting(world.pending.rows()) == {}
    assert max((row.tries for row in world.pending.rows()), default=0) <= LIMITS.max_tries
