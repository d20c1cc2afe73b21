"""What an operator of the recorded endpoint can set: its latency, its limits, its faults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from streaming_eval.errors import SettingsError


class Fault(StrEnum):
    """What can be wrong with a reply.

    Attributes:
        RATE_LIMITED: 429 that asks to wait for one second.
        RATE_LIMITED_SILENTLY: 429 that does not say for how long.
        LATE: a good reply, two minutes later.
        NO_ANSWER: the connection is held open and nothing is sent.
        SLOW_LORIS: one byte per second.
        ERROR_OBJECT: an error's body with status 200.
        NOT_HTTP: bytes of another protocol.
        HUGE_BODY: 100 MB, as announced.
        ENDLESS_BODY: 100 MB in chunks, not announced.
        GZIP_BOMB: half a megabyte that inflates to 512.
        BAD_CHUNKING: a chunk whose size is no number.
        HUGE_HEADER: a good reply with a header of 1 MB.
        REDIRECT: to `Behaviour.redirect_port`.
    """

    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    CONNECTION_RESET = "connection_reset"
    RATE_LIMITED = "rate_limited"
    RATE_LIMITED_SILENTLY = "rate_limited_silently"
    LATE = "late"
    NO_ANSWER = "no_answer"
    SLOW_LORIS = "slow_loris"
    TRUNCATED_JSON = "truncated_json"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    EMPTY_CHOICES = "empty_choices"
    HTML_PAGE = "html_page"
    ERROR_OBJECT = "error_object"
    GARBAGE = "garbage"
    NOT_HTTP = "not_http"
    HUGE_BODY = "huge_body"
    ENDLESS_BODY = "endless_body"
    GZIP_BOMB = "gzip_bomb"
    BAD_CHUNKING = "bad_chunking"
    HUGE_HEADER = "huge_header"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What an endpoint does beside answering.

    Attributes:
        latency_ms: median time from the request's last byte to the reply.
        latency_tail_share: share of calls that take longer than `latency_tail_ms`, in [0, 0.5);
            0 makes every call take `latency_ms` exactly, anything else a log-normal time, cut at
            twice `latency_tail_ms` so that a run has an end.
        latency_tail_ms: where the tail begins; above `latency_ms`.
        requests_per_minute: the rate limit; 0 is none. Calls over it get 429.
        burst: calls allowed at once after a pause; 0 allows one second's worth, at least one.
        error_rate: share of calls that end in 500, 503 or a reset connection, equally likely.
        malformed_rate: share of calls that get a broken reply with status 200: truncated JSON,
            a wrong content type, no choices, or an HTML page, equally likely.
        fault_rate: share of calls that get one of `faults`.
        faults: names of `Fault`, separated by commas, equally likely.
        redirect_port: where on the loopback interface a redirect leads to.
        seed: what the latency and fault of the n-th call with a given body depend on, beside n
            and the body; not on the order in which different calls arrive.
    """

    latency_ms: float = 0.0
    latency_tail_share: float = 0.0
    latency_tail_ms: float = 0.0
    requests_per_minute: float = 0.0
    burst: int = 0
    error_rate: float = 0.0
    malformed_rate: float = 0.0
    fault_rate: float = 0.0
    faults: str = ""
    redirect_port: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "faults":
                _check_number(field.name, getattr(self, field.name))
        if self.error_rate + self.malformed_rate + self.fault_rate > 1:
            rates = "error_rate, malformed_rate and fault_rate"
            raise SettingsError(f"{rates} must not exceed 1 together")
        if self.fault_rate and not self.chosen_faults:
            raise SettingsError("a fault_rate needs faults")
        if self.latency_tail_share >= 0.5:
            raise SettingsError("latency_tail_share must lie in [0, 0.5)")
        if self.latency_tail_share and not 0 < self.latency_ms < self.latency_tail_ms:
            raise SettingsError("a latency tail needs 0 < latency_ms < latency_tail_ms")

    def changed(self, values: Mapping[str, object]) -> Behaviour:
        """A copy with some values replaced.

        Raises:
            SettingsError: a name is unknown or a value is out of its range.
        """
        names = [field.name for field in fields(self)]
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise SettingsError(f"{', '.join(unknown)}: unknown; allowed are {', '.join(names)}")
        return replace(self, **values)  # type: ignore[arg-type]  # __post_init__ checks them

    @property
    def random(self) -> bool:
        """Whether a call's fate depends on chance."""
        shares = (self.latency_tail_share, self.error_rate, self.malformed_rate, self.fault_rate)
        return any(shares)

    @property
    def chosen_faults(self) -> tuple[Fault, ...]:
        """The members of `faults`.

        Raises:
            SettingsError: one is unknown.
        """
        names = [name for name in str(self.faults).split(",") if name]
        unknown = sorted(set(names) - set(Fault))
        if unknown:
            allowed = ", ".join(Fault)
            raise SettingsError(f"faults: {', '.join(unknown)} unknown; allowed are {allowed}")
        return tuple(map(Fault, names))


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SettingsError(f"{name} must be a number, not {value!r}")
    whole = name in ("seed", "burst", "redirect_port")
    if whole and not isinstance(value, int):
        raise SettingsError(f"{name} must be a whole number, not {value!r}")
    if name == "seed":
        if not -(2**63) <= value < 2**63:
            raise SettingsError("seed must be a signed 64-bit number")
    elif value < 0:
        raise SettingsError(f"{name} must not be negative, got {value}")
