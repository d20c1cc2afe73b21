"""What happens to each call: drawn by chance, and yet the same in every run."""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from statistics import NormalDist

from streaming_eval.local.behaviour import Behaviour, Fault

_LONGEST_TAILS = 2.0
_NORMAL = NormalDist()
_ERRORS = (Fault.SERVER_ERROR, Fault.UNAVAILABLE, Fault.CONNECTION_RESET)
_MALFORMED = (
    Fault.TRUNCATED_JSON,
    Fault.WRONG_CONTENT_TYPE,
    Fault.EMPTY_CHOICES,
    Fault.HTML_PAGE,
)

_Kinds = tuple[tuple[float, tuple[Fault, ...]], ...]


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one call."""

    latency_ms: float
    fault: Fault | None = None


class Fates:
    """Decides each call's fate, the same one in every run with equal seeds and calls."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._certain = None if behaviour.random else Fate(behaviour.latency_ms)
        self._kinds = _kinds(behaviour)
        self._seed = struct.pack("<q", behaviour.seed)
        self._seen: Counter[str] = Counter()

    def next(self, body_sha256: str) -> Fate:
        """The fate of the next call with this body; a repeat is drawn anew."""
        if self._certain is not None:
            return self._certain
        nth = self._seen[body_sha256]
        self._seen[body_sha256] = nth + 1
        draw = blake2b(f"{nth}:{body_sha256}".encode(), digest_size=24, key=self._seed).digest()
        slow, broken, kind = ((n + 0.5) / 2**64 for n in struct.unpack("<3Q", draw))
        return Fate(_latency_ms(self._behaviour, slow), _fault(self._kinds, broken, kind))


def _latency_ms(behaviour: Behaviour, uniform: float) -> float:
    """The latency below which a share `uniform` of the calls lies."""
    if not behaviour.latency_tail_share:
        return behaviour.latency_ms
    tail_z = _NORMAL.inv_cdf(1 - behaviour.latency_tail_share)
    sigma = math.log(behaviour.latency_tail_ms / behaviour.latency_ms) / tail_z
    drawn = behaviour.latency_ms * math.exp(sigma * _NORMAL.inv_cdf(uniform))
    return min(drawn, _LONGEST_TAILS * behaviour.latency_tail_ms)


def _kinds(behaviour: Behaviour) -> _Kinds:
    """Shares of the calls, and the faults that each share meets."""
    return (
        (behaviour.error_rate, _ERRORS),
        (behaviour.malformed_rate, _MALFORMED),
        (behaviour.fault_rate, behaviour.chosen_faults),
    )


def _fault(kinds: _Kinds, broken: float, kind: float) -> Fault | None:
    for share, faults in kinds:
        if broken < share:
            return faults[int(kind * len(faults))]
        broken -= share
    return None
