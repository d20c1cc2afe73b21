from collections import Counter
from hashlib import sha256

import pytest

from streaming_eval.errors import SettingsError
from streaming_eval.local.behaviour import Behaviour, Fault
from streaming_eval.local.fates import Fate, Fates

BODIES = [sha256(str(n).encode()).hexdigest() for n in range(20_000)]


def test_a_fixed_latency_is_the_same_for_every_call() -> None:
    fates = Fates(Behaviour(latency_ms=50))
    assert {fates.next(body) for body in BODIES[:100]} == {Fate(50)}


def test_latency_has_the_median_and_the_tail_asked_for() -> None:
    behaviour = Behaviour(latency_ms=800, latency_tail_ms=10_000, latency_tail_share=0.02)
    fates = Fates(behaviour)
    drawn = sorted(fates.next(body).latency_ms for body in BODIES)
    assert drawn[len(drawn) // 2] == pytest.approx(800, rel=0.05)
    assert sum(ms > 10_000 for ms in drawn) / len(drawn) == pytest.approx(0.02, rel=0.15)
    assert drawn[-1] <= 20_000


def test_faults_come_at_their_rates_and_in_all_kinds() -> None:
    behaviour = Behaviour(
        error_rate=0.1, malformed_rate=0.2, fault_rate=0.15, faults="late,redirect,garbage"
    )
    fates = Fates(behaviour)
    found = Counter(fates.next(body).fault for body in BODIES)
    errors = [Fault.SERVER_ERROR, Fault.UNAVAILABLE, Fault.CONNECTION_RESET]
    malformed = [
        Fault.TRUNCATED_JSON,
        Fault.WRONG_CONTENT_TYPE,
        Fault.EMPTY_CHOICES,
        Fault.HTML_PAGE,
    ]
    chosen = [Fault.LATE, Fault.REDIRECT, Fault.GARBAGE]
    assert found.keys() == {None, *errors, *malformed, *chosen}
    for kinds, rate in ((errors, 0.1), (malformed, 0.2), (chosen, 0.15)):
        for kind in kinds:
            assert found[kind] / len(BODIES) == pytest.approx(rate / len(kinds), rel=0.15)


def test_fates_do_not_depend_on_the_order_of_arrival() -> None:
    behaviour = Behaviour(error_rate=0.5, seed=3)
    forth, back = Fates(behaviour), Fates(behaviour)
    one = {body: forth.next(body) for body in BODIES[:200]}
    other = {body: back.next(body) for body in reversed(BODIES[:200])}
    assert one == other


def test_a_repeated_call_is_drawn_anew() -> None:
    fates = Fates(Behaviour(error_rate=0.5))
    drawn = [fates.next(BODIES[0]).fault is None for _ in range(40)]
    assert 5 < sum(drawn) < 35


def test_another_seed_gives_other_fates() -> None:
    one, other = (Fates(Behaviour(error_rate=0.5, seed=seed)) for seed in (1, 2))
    assert [one.next(body) for body in BODIES[:50]] != [other.next(body) for body in BODIES[:50]]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"error_rat": 0.1}, "allowed are latency_ms"),
        ({"error_rate": "high"}, "error_rate"),
        ({"error_rate": True}, "error_rate"),
        ({"error_rate": float("nan")}, "error_rate"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"error_rate": 0.6, "malformed_rate": 0.6}, "malformed_rate"),
        ({"latency_tail_share": 0.5, "latency_tail_ms": 1}, "latency_tail_share"),
        ({"latency_tail_share": 0.1, "latency_ms": 9, "latency_tail_ms": 9}, "latency_tail_ms"),
        ({"burst": 1.5}, "burst"),
        ({"fault_rate": 0.1}, "a fault_rate needs faults"),
        ({"fault_rate": 0.1, "faults": "late,latr"}, "latr unknown; allowed are server_error"),
        ({"fault_rate": 0.1, "faults": 7}, "7 unknown"),
        ({"seed": 2**63}, "seed"),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Behaviour().changed(values)
