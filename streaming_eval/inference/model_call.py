"""How one model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.records import Message, Request


@dataclass(frozen=True, slots=True)
class ModelCall:
    """How to ask one model.

    Attributes:
        endpoint: the endpoint's name, which selects the `Complete` that serves it.
        base_url: the endpoint's identity, part of the cache key.
    """

    name: str
    endpoint: str
    base_url: str
    api: str
    model: str
    revision: str = ""
    system_prompt: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)

    def request(self, messages: Sequence[Message]) -> Request:
        """The request that puts these messages, after the system prompt, to the model."""
        system = (Message("system", self.system_prompt),) if self.system_prompt else ()
        return Request(
            endpoint=self.base_url,
            api=self.api,
            model=self.model,
            messages=(*system, *messages),
            parameters=self.parameters,
            revision=self.revision,
        )


def key_or_none(request: Request) -> str | None:
    """The cache key; None for a request that can have none, whose call has failed anyway."""
    try:
        return cache_key(request)
    except PermanentError:
        return None
