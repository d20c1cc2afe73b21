"""The driver's grants: bounded whatever the workers do, and fair."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.inference.quota.endpoint_quota import EndpointQuota
from streaming_eval.inference.quota.lease_book import LATE_S, LIFETIME_S, REMEMBERED_S
from streaming_eval.inference.quota.messages import Ask, Grant, LeaseUse, Remaining
from streaming_eval.inference.quota.quotas import Quota, Quotas
from tests.inference.quota.quota_workers import PlainWorker, worst_excess

MINUTE = 600  # tenths of a second


@dataclass
class _Held:
    """A lease as an unreliable worker sees it."""

    number: int
    size: int
    ends_at: float
    used: int = 0
    returned: int = 0


@dataclass
class _WildWorker:
    """Talks late, out of order or never; its clock shows any time, but runs at the same speed."""

    name: str
    ahead_s: float
    numbers: count[int] = field(default_factory=lambda: count(1))
    leases: list[_Held] = field(default_factory=list)
    asks: list[tuple[Ask, float]] = field(default_factory=list)
    grants: list[tuple[Grant, float]] = field(default_factory=list)

    def compose(self, now_s: float) -> None:
        uses = tuple(LeaseUse(h.number, h.used, 0, h.returned, 0) for h in self.leases)
        ask = Ask(self.name, "e", next(self.numbers), wanted={"m": (0,) * 20}, uses=uses)
        self.asks.append((ask, now_s + self.ahead_s))

    def receive(self, now_s: float) -> None:
        grant, asked_at = self.grants.pop()
        if size := sum(map(len, grant.permits.values())):
            self.leases.append(_Held(grant.lease, size, asked_at + grant.lifetime_s))

    def start(self, now_s: float) -> bool:
        for lease in self.leases:
            if lease.used + lease.returned < lease.size and now_s + self.ahead_s < lease.ends_at:
                lease.used += 1
                return True
        return False

    def give_back(self) -> None:
        for lease in self.leases[-1:]:
            lease.returned = lease.size - lease.used


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(
            [
                "ask",
                "deliver",
                "deliver again",
                "lose",
                "receive",
                "start",
                "start",
                "return",
                "die",
            ]
        ),
        st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 2.5]),
    ),
    max_size=300,
)


def _step(worker: _WildWorker, action: str, quota: EndpointQuota, now_s: float) -> bool:
    """Does one thing; says whether a request was started."""
    if action == "ask":
        worker.compose(now_s)
    elif action.startswith("deliver") and worker.asks:
        ask, asked_at = worker.asks[-1] if action == "deliver again" else worker.asks.pop()
        worker.grants.append((quota.exchange(ask, now_s), asked_at))
    elif action == "lose":
        worker.grants.clear()
    elif action == "receive" and worker.grants:
        worker.receive(now_s)
    elif action == "return":
        worker.give_back()
    elif action == "start":
        return worker.start(now_s)
    return False


@given(steps=STEPS, per_minute=st.sampled_from([6, 60, 600]), skew_s=st.floats(-1e6, 1e6))
def test_no_window_sees_too_many_starts_whatever_the_workers_do(
    steps: list[tuple[int, str, float]], per_minute: float, skew_s: float
) -> None:
    quota = EndpointQuota(Quota(per_minute), 0.0)
    workers = [_WildWorker(f"w{n}", n * skew_s) for n in range(3)]
    now_s, starts = 0.0, list[float]()
    for number, action, pause_s in steps:
        now_s += pause_s
        if action == "die":
            workers[number] = _WildWorker(f"w{number} at {now_s}", skew_s)
        elif _step(workers[number], action, quota, now_s):
            starts.append(now_s)
    per_s = per_minute / 60
    assert worst_excess(starts, per_s) <= 1 + per_s + 1e-6


def simulate(quota: EndpointQuota, asks: dict[PlainWorker, dict[str, list[int]]]) -> None:
    """For a minute every worker wants the same each tenth of a second."""
    for tick in range(MINUTE):
        for worker, wanted in asks.items():
            worker.ask(tick / 10, wanted)


def test_all_of_the_quota_is_granted_to_those_who_want_it() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    worker = PlainWorker("w", quota)
    simulate(quota, {worker: {"m": [0] * 50}})
    assert worker.total == pytest.approx(600, abs=2)


def test_the_share_of_the_idle_goes_to_the_busy() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    idle, busy = PlainWorker("idle", quota), PlainWorker("busy", quota)
    simulate(quota, {idle: {}, busy: {"m": [0] * 50}})
    assert idle.total == 0
    assert busy.total == pytest.approx(600, abs=2)


def test_busy_workers_get_alike_however_much_they_want_or_how_often_they_ask() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    workers = [PlainWorker(f"w{n}", quota) for n in range(4)]
    for tick in range(MINUTE):
        for n, worker in enumerate(workers):
            if tick % (n + 1) == 0:
                worker.ask(tick / 10, {"m": [0] * (10 * (n + 1))})
    assert [worker.total for worker in workers] == [pytest.approx(150, abs=3)] * 4


def test_who_wants_little_gets_all_of_it() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    modest, greedy = PlainWorker("modest", quota), PlainWorker("greedy", quota)
    for tick in range(MINUTE):
        greedy.ask(tick / 10, {"m": [0] * 50})
        modest.ask(tick / 10, {"m": [0] * (tick // 10 + 1 - modest.total)})
    assert modest.total == 60
    assert modest.total + greedy.total == pytest.approx(600, abs=5)


def test_models_of_one_endpoint_share_alike() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    workers = [PlainWorker(f"w{n}", quota) for n in range(4)]
    simulate(
        quota, {w: {"a": [0] * 50, **({"b": [0] * 5} if w is workers[0] else {})} for w in workers}
    )
    granted = [sum(w.granted.get(model, 0) for w in workers) for model in ("a", "b")]
    assert granted == [pytest.approx(300, abs=5)] * 2


def test_tokens_are_granted_at_their_rate() -> None:
    quota = EndpointQuota(Quota(tokens_per_minute=60_000), 0.0)
    worker = PlainWorker("w", quota)
    simulate(quota, {worker: {"m": [700] * 50}})
    assert worker.total * 700 == pytest.approx(60_000, rel=0.03)


def test_a_large_request_is_not_passed_over_for_ever() -> None:
    quota = EndpointQuota(Quota(tokens_per_minute=60_000), 0.0)
    small, large = PlainWorker("small", quota), PlainWorker("large", quota)
    simulate(quota, {small: {"m": [10] * 200}, large: {"m": [20_000] * 3}})
    assert large.total >= 1
    assert small.total >= 1_500


def test_tokens_that_were_not_spent_are_granted_again() -> None:
    quota = EndpointQuota(Quota(tokens_per_minute=60_000), 0.0)
    worker = PlainWorker("w", quota)
    for tick in range(MINUTE):
        worker.ask(tick / 10, {"m": [1_000] * 9}, extra_tokens=-900 * worker.total)
    assert worker.total == pytest.approx(600, rel=0.05), "each took 100 tokens"


def test_the_permits_of_a_dead_worker_count_as_used() -> None:
    quota = EndpointQuota(Quota(60), 0.0)
    dead, heir = PlainWorker("dead", quota), PlainWorker("heir", quota)
    assert len(dead.ask(1.0, {"m": [0] * 9}).permits["m"]) == 2, "the burst"
    while_held = [heir.ask(1.0 + tick / 10, {"m": [0] * 9}) for tick in range(1, 20)]
    assert sum(len(grant.permits.get("m", ())) for grant in while_held) == 0
    assert heir.ask(1.0 + LIFETIME_S, {"m": [0] * 9}).permits == {}
    assert quota.status().expired == 2
    assert heir.ask(2.05 + LIFETIME_S, {"m": [0] * 9}).permits == {"m": (0,)}


def test_what_waits_for_a_dead_worker_goes_to_the_others() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    dead, heir = PlainWorker("dead", quota), PlainWorker("heir", quota)
    assert dead.ask(0.0, {"m": [0] * 99}).permits == {"m": (0,)}
    assert heir.ask(0.5, {}).permits == {}, "five are ready for the dead one, which never comes"
    heir.ask(LATE_S + 0.1, {})
    assert len(heir.ask(LIFETIME_S - 0.1, {"m": [0] * 99}).permits["m"]) == 10


def test_unused_permits_that_come_back_go_to_others() -> None:
    quota = EndpointQuota(Quota(60), 0.0)
    rich, poor = PlainWorker("rich", quota), PlainWorker("poor", quota)
    lease = rich.ask(1.0, {"m": [0] * 2}).lease
    assert poor.ask(1.0, {"m": [0] * 2}).permits == {}
    rich.ask(1.0, {}, uses=(LeaseUse(lease, returned=2),))
    assert poor.ask(1.0, {"m": [0] * 2}).permits == {"m": (0, 0)}


def test_a_report_that_is_repeated_or_exaggerated_changes_nothing() -> None:
    quota = EndpointQuota(Quota(60), 0.0)
    worker, other = PlainWorker("w", quota), PlainWorker("other", quota)
    lease = worker.ask(1.0, {"m": [0] * 2}).lease
    for _ in range(3):
        worker.ask(1.0, {}, uses=(LeaseUse(lease, returned=1),))
    worker.ask(1.0, {}, uses=(LeaseUse(lease, used=9, returned=2**40), LeaseUse(99, returned=50)))
    assert other.ask(1.0, {"m": [0] * 9}).permits == {"m": (0,)}


def test_an_ask_that_was_overtaken_is_granted_nothing() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    ask = Ask("w", "e", 5, wanted={"m": (0,) * 9})
    assert quota.exchange(ask, 10.0).permits != {}
    assert quota.exchange(replace(ask, number=4), 20.0).permits == {}
    assert quota.exchange(ask, 20.0).permits == {}


def test_a_refusal_told_by_one_worker_slows_all() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    told, other = PlainWorker("told", quota), PlainWorker("other", quota)
    told.ask(0.0, {}, epoch=0, started=20, refused=10)
    told.ask(0.1, {}, epoch=0, started=40, refused=20)
    grant = other.ask(0.2, {})
    assert grant.epoch == 1
    assert quota.status().share == pytest.approx(0.5)
    assert quota.status().requests_per_minute == pytest.approx(300)


def test_what_is_told_of_a_new_epoch_is_counted_from_its_beginning() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    worker = PlainWorker("w", quota)
    worker.ask(0.0, {})
    worker.ask(0.1, {}, epoch=0, started=100, refused=50)
    assert quota.status().share == pytest.approx(0.5)
    worker.ask(2.0, {}, epoch=1, started=20, refused=10)
    assert quota.status().share == pytest.approx(0.25)


def test_nobody_sends_while_the_provider_wants_a_pause() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    told, other = PlainWorker("told", quota), PlainWorker("other", quota)
    other.ask(5.0, {"m": [0] * 9})
    told.ask(5.0, {}, pause_s=7.0)
    pauses = [other.ask(5.0 + second, {"m": [0] * 9}).pause_s for second in range(8)]
    assert pauses == [7, 6, 5, 4, 3, 2, 1, 0]
    assert other.total == 9, "those of before the pause"
    assert len(other.ask(12.05, {"m": [0] * 99}).permits.get("m", ())) <= 1, "no burst after it"


def test_a_provider_cannot_stop_everything_for_ever() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    worker = PlainWorker("w", quota)
    assert worker.ask(0.0, {}, pause_s=1e9).pause_s == 60
    worker.ask(60.5, {"m": [0]})
    assert worker.total == 1


def test_what_the_provider_says_is_left_is_made_to_last() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    worker = PlainWorker("w", quota)
    worker.ask(0.0, {}, requests_left=Remaining(100, 50.0))
    assert quota.status().share == pytest.approx(0.2)
    for tick in range(150):
        worker.ask(tick / 10, {"m": [0] * 50})
    assert worker.total == pytest.approx(10 * 2 + 5 * 10, abs=3), "the word is good for 10 s"


@pytest.mark.parametrize("left", [Remaining(0, 1.0), Remaining(5_000, 30.0)])
def test_a_quota_that_starts_again_at_once_or_suffices_slows_nobody(left: Remaining) -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    PlainWorker("w", quota).ask(0.0, {}, requests_left=left, tokens_left=Remaining(0, 60.0))
    assert quota.status().share == 1.0


def test_more_is_never_under_way_than_allowed_even_when_grants_are_lost() -> None:
    quota = EndpointQuota(Quota(concurrency=10), 0.0)
    old, new = PlainWorker("old", quota), PlainWorker("new", quota)
    assert old.ask(0.0, {}, slots_wanted=40).slots == 10
    assert new.ask(0.1, {}, slots_wanted=40).slots == 0
    assert old.ask(0.2, {}, slots_held=10, in_flight=1, slots_wanted=40).slots == 5, "not heard"
    assert new.ask(0.3, {}, slots_wanted=40).slots == 0
    assert old.ask(0.4, {}, slots_held=5, in_flight=8, slots_wanted=40).slots == 5
    assert new.ask(0.5, {}, slots_wanted=40).slots == 2
    assert old.ask(0.6, {}, slots_held=5, in_flight=5, slots_wanted=40).slots == 5
    assert new.ask(0.7, {}, slots_held=2, in_flight=2, slots_wanted=40).slots == 5


def test_the_places_of_a_dead_worker_are_free_again() -> None:
    quota = EndpointQuota(Quota(concurrency=10), 0.0)
    PlainWorker("dead", quota).ask(0.0, {}, in_flight=10, slots_held=10, slots_wanted=10)
    heir = PlainWorker("heir", quota)
    assert heir.ask(1.0, {}, slots_wanted=4).slots == 0
    assert heir.ask(LIFETIME_S + 0.1, {}, slots_wanted=4).slots == 4


def test_without_rates_a_refusal_lowers_how_many_are_under_way() -> None:
    quota = EndpointQuota(Quota(concurrency=10), 0.0)
    worker = PlainWorker("w", quota)
    grant = worker.ask(0.0, {}, slots_wanted=10)
    assert (grant.metered, grant.slots) == (False, 10)
    worker.ask(0.1, {}, slots_wanted=10, started=10, refused=5)
    assert worker.ask(0.2, {}, slots_wanted=10, started=10, refused=5).slots == 5


def test_many_workers_ask_less_often() -> None:
    quota = EndpointQuota(Quota(600), 0.0)
    grants = [PlainWorker(f"w{n}", quota).ask(0.0, {}) for n in range(200)]
    assert (grants[0].again_s, grants[-1].again_s) == (0.1, 0.5)


@pytest.mark.parametrize("away_s", [300.0, REMEMBERED_S + 300.0])
def test_a_worker_that_comes_back_is_not_corrected_twice(away_s: float) -> None:
    quota = EndpointQuota(Quota(tokens_per_minute=60_000), 0.0)
    worker = PlainWorker("w", quota)
    worker.ask(0.0, {}, extra_tokens=0)
    worker.ask(0.1, {}, extra_tokens=-50_000)
    worker.ask(away_s, {}, extra_tokens=-50_000)
    grants = [worker.ask(away_s, {"m": [1_000] * 200}, extra_tokens=-50_000) for _ in range(3)]
    granted = sum(len(grant.permits.get("m", ())) for grant in grants)
    assert granted <= 53


def test_each_endpoint_has_a_quota_of_its_own() -> None:
    now = [0.0]
    quotas = Quotas({"a": Quota(60), "b": Quota(6_000)}, lambda: now[0])
    now[0] = 10.0
    sizes = [
        len(quotas.exchange(Ask("w", name, 1, wanted={"m": (0,) * 200})).permits["m"])
        for name in ("a", "b")
    ]
    assert sizes == [2, 101]
    assert "c" not in quotas
    assert quotas.status().keys() == {"a", "b"}
