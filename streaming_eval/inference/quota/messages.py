"""What a worker and the driver say to each other about the quota of one endpoint.

Every count in an `Ask` is a total, not a difference, so a message that is lost, repeated or
overtaken changes nothing but the delay. The bounds are checked where bytes come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

MOST_WANTED = 256
LONGEST_PAUSE_S = 60.0
_MOST = 2**40

Count = Annotated[int, Field(ge=0, le=_MOST)]
Name = Annotated[str, Field(min_length=1, max_length=400)]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Wanted = Annotated[tuple[Count, ...], Field(max_length=MOST_WANTED)]


@dataclass(frozen=True, slots=True)
class LeaseUse:
    """What has become of one lease so far; what is neither used nor returned may still be used.

    Attributes:
        lease: its number.
        used: requests started.
        used_tokens: granted with those.
        returned: permits that will never be used.
        returned_tokens: granted with those.
    """

    lease: Count
    used: Count = 0
    used_tokens: Count = 0
    returned: Count = 0
    returned_tokens: Count = 0


@dataclass(frozen=True, slots=True)
class Remaining:
    """What a provider says is left, and in how many seconds its count starts again or is full."""

    n: Count
    reset_s: Seconds


@dataclass(frozen=True, slots=True)
class Ask:
    """A worker's side of one exchange.

    Attributes:
        worker: names one worker process for its whole life, and no other.
        number: rises with every ask; an older one than the last seen is void.
        wanted: model to the tokens of each request that wants a permit, in order.
        uses: of leases that still run.
        in_flight: requests under way.
        slots_held: how many the worker may have under way, as far as it has heard.
        slots_wanted: how many it would like to have.
        extra_tokens: spent beyond what was granted, since the worker began; may be negative.
        epoch: of the newest grant; the next three count requests whose permits came with it.
        pause_s: how long no worker shall send, as the provider wished (`Retry-After`).
        requests_left: newest word of the provider on requests.
        tokens_left: the same on tokens.
    """

    worker: Name
    endpoint: Name
    number: Count
    wanted: Annotated[Mapping[Name, Wanted], Field(max_length=64)] = field(default_factory=dict)
    uses: Annotated[tuple[LeaseUse, ...], Field(max_length=1_000)] = ()
    in_flight: Count = 0
    slots_held: Count = 0
    slots_wanted: Count = 0
    extra_tokens: Annotated[int, Field(ge=-_MOST, le=_MOST)] = 0
    epoch: Count = 0
    started: Count = 0
    answered: Count = 0
    refused: Count = 0
    pause_s: Seconds = 0.0
    requests_left: Remaining | None = None
    tokens_left: Remaining | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """The driver's side.

    Attributes:
        lease: number of the lease that these permits make up.
        permits: model to the tokens granted with each permit.
        metered: whether requests need a permit at all; without rates only `slots` count.
        slots: requests that this worker may have under way at once; None is no limit.
        lifetime_s: permits and slots hold this long from the moment the worker *asked*, so that
            the driver, who counts from when it answered, never takes them for void too early.
        again_s: when to ask again.
        pause_s: send nothing for so long.
        epoch: of these permits; see `Ask.epoch`.
    """

    lease: Count
    permits: Mapping[Name, tuple[Count, ...]]
    metered: bool
    slots: Count | None
    lifetime_s: Seconds
    again_s: Seconds
    pause_s: Seconds
    epoch: Count
