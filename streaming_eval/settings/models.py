"""Which models are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from streaming_eval.settings.fields import (
    InconsistentError,
    Name,
    Problem,
    Section,
    literal_secrets,
)


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
