"""Which model APIs there are. A new one is one file beside this and one line in it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from streaming_eval.adapters.anthropic_messages import AnthropicMessages
from streaming_eval.adapters.gemini import Gemini
from streaming_eval.adapters.json_api import JsonApi
from streaming_eval.adapters.openai_chat import OpenAIChat
from streaming_eval.adapters.openai_completions import OpenAICompletions
from streaming_eval.adapters.openai_embeddings import OpenAIEmbeddings

MODEL_APIS: Mapping[str, type[JsonApi]] = MappingProxyType(
    {
        "anthropic_messages": AnthropicMessages,
        "gemini": Gemini,
        "openai_chat": OpenAIChat,
        "openai_completions": OpenAICompletions,
        "openai_embeddings": OpenAIEmbeddings,
    }
)
"""What `api` says in the configuration to the class that speaks it; all are made alike."""
