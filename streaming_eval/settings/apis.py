"""Which wire formats there are, and what each is good for."""

from __future__ import annotations

from typing import Literal

Api = Literal[
    "openai_chat", "anthropic_messages", "gemini", "openai_completions", "openai_embeddings"
]

CONVERSES: tuple[Api, ...] = ("openai_chat", "anthropic_messages", "gemini")
"""Take a conversation with a system prompt, which a judge's task is."""

WRITES: tuple[Api, ...] = (*CONVERSES, "openai_completions")
"""Give text, as candidates must."""

EMBEDS: tuple[Api, ...] = ("openai_embeddings",)
"""Give vectors."""
