"""Which models are asked, and where they are reached."""

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
    Name,
    Problem,
    Section,
    literal_secrets,
    milliseconds,
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
        description="requests open at once; divided among the tasks, at least one each, or shared "
        "by them where a quota is given",
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

    @property
    def has_quota(self) -> bool:
        """Whether requests or tokens are limited per minute."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None

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


class RemoteModelSettings(Section):
    """How to ask one model, whatever it is asked for."""

    endpoint: Name = Field(description="a name under `endpoints`")
    model: str = Field(min_length=1, description="what the endpoint calls the model")
    revision: str = Field(
        default="", description="your tag for the model's version; part of the cache key"
    )
    parameters: Mapping[str, object] = Field(
        default={}, description="sent as they are: dimensions, ..."
    )

    @model_validator(mode="after")
    def _no_secrets_on_the_wire(self) -> Self:
        found = [
            Problem(("parameters", *problem.path), problem.message, problem.allowed)
            for problem in literal_secrets(self.parameters, referable=False)
        ]
        if found:
            raise InconsistentError(*found)
        return self


class ModelSettings(RemoteModelSettings):
    """How to ask one model for text: shared by candidates and judges."""

    system_prompt: str | None = Field(
        default=None, description="put before the messages of a sample"
    )
    parameters: Mapping[str, object] = Field(
        default={"temperature": 0},
        description="sent as they are: temperature, max_tokens, seed, ...",
    )


class CandidateSettings(ModelSettings):
    """A model that answers every sample beside production, under its own name."""

    name: Name = Field(description="the model's name in tables and metric labels")
