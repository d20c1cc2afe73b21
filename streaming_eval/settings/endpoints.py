"""Where models are reached, how fast they may be asked, and what is done about bad days."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from streaming_eval.settings.apis import Api
from streaming_eval.settings.fields import (
    DurationMs,
    EnvironmentName,
    HeaderName,
    InconsistentError,
    Problem,
    Section,
    duration_text,
    literal_secrets,
    milliseconds,
)

_OPEN_PER_IN_FLIGHT = 3


class CircuitBreakerSettings(Section):
    """When an endpoint is left alone for a while: timeouts, broken connections and 5xx say so."""

    failure_ratio: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="share of the attempts in `window` that must fail for the circuit to open",
    )
    min_attempts: int = Field(
        default=20,
        ge=1,
        le=200,
        description="fewer attempts in `window` open nothing; divided among the tasks, five each "
        "at least",
    )
    window: DurationMs = Field(
        default=milliseconds("30s"), description="how long the outcome of an attempt counts"
    )
    longest_pause: DurationMs = Field(
        default=milliseconds("30s"),
        description="what the pause between two probes grows to; it begins with a second for each "
        "task, so that all of them together probe once a second at most, and is never below that",
    )
    max_wait: DurationMs | None = Field(
        default=None,
        description="how long a request waits for the circuit to close before it ends as "
        "`circuit_open`; as long as `deadline` when absent",
    )


class HedgingSettings(Section):
    """A second request where the first is unusually late; whichever answers first counts."""

    enabled: bool = Field(
        default=False, description="second requests may have to be paid for, so they are a choice"
    )
    after_quantile: float = Field(
        default=0.98,
        ge=0.5,
        lt=1,
        description="an attempt is late once it takes longer than this share of recent ones did, "
        "and twice their median",
    )
    max_extra: float = Field(
        default=0.02, gt=0, le=1, description="second requests for each first one, at most"
    )


class EndpointSettings(Section):
    """One model API; only endpoints named here are ever called."""

    api: Api = Field(
        default="openai_chat",
        description="wire format; vLLM, Ollama, LiteLLM, Azure and many others speak `openai_chat`",
    )
    base_url: str = Field(
        pattern=r"^https?://[^\s@?#]+$",
        description="what the API's own path is appended to, such as `/chat/completions`; where "
        "it is absent, `OPENAI_BASE_URL` is taken",
        json_schema_extra={
            "x-allowed": "http(s)://host[:port][/path] without credentials, query or fragment"
        },
    )
    api_key_env: EnvironmentName | None = Field(
        default=None,
        description="environment variable that holds the key; `OPENAI_API_KEY` is taken when "
        "neither key setting is given and `base_url` is `OPENAI_BASE_URL` (or OpenAI's own)",
    )
    api_key_file: Path | None = Field(
        default=None, description="file that holds the key and nothing else"
    )
    key_header: HeaderName | None = Field(
        default=None,
        description="header that carries the key instead of the API's own, e.g. Azure's `api-key`",
    )
    headers: Mapping[HeaderName, str] = Field(
        default={}, description="sent with every request beside the API's own; no secrets"
    )
    query: Mapping[str, str] = Field(
        default={}, description="appended to every address, e.g. Azure's `api-version`; no secrets"
    )
    max_in_flight: int = Field(
        default=64,
        ge=1,
        le=4_096,
        description="requests open at once, those that are stuck left out; divided among the "
        "tasks, at least one each, or shared by them where a quota is given",
    )
    min_in_flight: int | None = Field(
        default=None,
        ge=1,
        le=4_096,
        description="makes the limit follow the endpoint's latency, between this and "
        "`max_in_flight`; when absent, it is `max_in_flight`",
    )
    latency_tolerance: float = Field(
        default=2.0,
        gt=1,
        le=100,
        description="how many times as long as under light load answers may take before the limit "
        "falls; counts where `min_in_flight` is given",
    )
    max_open: int | None = Field(
        default=None,
        ge=1,
        le=16_384,
        description="requests open at once with those that are stuck; when absent, three times "
        "`max_in_flight`, or `max_in_flight` where a quota is given",
    )
    requests_per_minute: int | None = Field(
        default=None,
        ge=1,
        description="quota of all tasks together; every HTTP request counts, repeated ones too",
    )
    tokens_per_minute: int | None = Field(
        default=None,
        ge=1,
        description="quota of all tasks together, input and output; the output is estimated "
        "beforehand and corrected afterwards",
    )
    request_timeout: DurationMs = Field(
        default=milliseconds("30s"), description="limit of one attempt"
    )
    deadline: DurationMs = Field(
        default=milliseconds("2m"), description="limit of one request with all its attempts"
    )
    max_attempts: int = Field(
        default=5,
        ge=1,
        le=20,
        description="attempts per request; only 408, 409, 425, 429, 5xx, timeouts and broken "
        "connections are repeated",
    )
    inputs_per_request: int = Field(
        default=256,
        ge=1,
        le=2_048,
        description="`openai_embeddings`, `openai_completions`: inputs that travel in one request "
        "at most; each is cached on its own",
    )
    chars_per_request: int = Field(
        default=200_000,
        ge=1,
        description="likewise: characters of all inputs of a request; a longer one goes alone",
    )
    gather: DurationMs = Field(
        default=milliseconds("10ms"), description="likewise: longest wait of an input for others"
    )
    circuit_breaker: CircuitBreakerSettings = Field(
        default=CircuitBreakerSettings(), description="what is done while it fails"
    )
    hedging: HedgingSettings = Field(
        default=HedgingSettings(), description="what is done about its slowest answers"
    )

    @property
    def has_quota(self) -> bool:
        """Whether requests or tokens are limited per minute."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None

    @property
    def most_open(self) -> int:
        """Requests open at once, those that are stuck included."""
        if self.max_open is not None:
            return self.max_open
        return self.max_in_flight * (1 if self.has_quota else _OPEN_PER_IN_FLIGHT)

    @model_validator(mode="after")
    def _no_secrets_in_plain_sight(self) -> Self:
        found = [
            Problem((key, *problem.path), problem.message, problem.allowed)
            for key in ("headers", "query")
            for problem in literal_secrets(getattr(self, key), referable=False)
        ]
        if found:
            raise InconsistentError(*found)
        return self

    @model_validator(mode="after")
    def _one_key_source(self) -> Self:
        if self.api_key_env and self.api_key_file:
            wrong = "excludes api_key_env, which is given too"
            allowed = "one of api_key_env, api_key_file"
            raise InconsistentError(Problem(("api_key_file",), wrong, allowed))
        return self

    @model_validator(mode="after")
    def _attempts_fit_into_the_deadline(self) -> Self:
        if self.request_timeout > self.deadline:
            longest = duration_text(self.deadline)
            wrong = f"{duration_text(self.request_timeout)} is longer than the deadline"
            allowed = f"a duration above zero, at most {longest}, which is `deadline`"
            raise InconsistentError(Problem(("request_timeout",), wrong, allowed))
        return self

    @model_validator(mode="after")
    def _ordered_limits(self) -> Self:
        found = []
        most = self.max_in_flight
        if self.min_in_flight is not None and self.min_in_flight > most:
            allowed = f"a whole number, 1 to {most}, which is `max_in_flight`"
            found.append(Problem(("min_in_flight",), f"got {self.min_in_flight}", allowed))
        if self.max_open is not None and self.max_open < most:
            allowed = f"a whole number, at least {most}, which is `max_in_flight`"
            found.append(Problem(("max_open",), f"got {self.max_open}", allowed))
        if found:
            raise InconsistentError(*found)
        return self
