"""Lets the official clients ask questions; runs in an environment that holds them.

    python official_clients.py ROOT_URL API_KEY PROMPT...

Prints an array with what each client made of the reply to each prompt, one JSON object per prompt:
what it calls the text, the finish reason and the tokens, or the class of its error and the status.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

MODEL = "llama-2-7b"
INPUTS = ["the red fox", "a red fox", "stocks"]


def main(root: str, key: str, *prompts: str) -> None:
    openai = import_module("openai").OpenAI(base_url=f"{root}/v1", api_key=key, max_retries=0)
    anthropic = import_module("anthropic").Anthropic(base_url=root, api_key=key, max_retries=0)
    google = import_module("google.genai").Client(api_key=key, http_options={"base_url": root})
    found = []
    for prompt in prompts:
        calls: dict[str, Callable[[], object]] = {
            "openai_chat": partial(chat, openai, prompt),
            "openai_completions": partial(completions, openai, prompt),
            "openai_embeddings": partial(embeddings, openai),
            "anthropic_messages": partial(messages, anthropic, prompt),
            "gemini": partial(contents, google, prompt),
        }
        found.append({name: outcome(call) for name, call in calls.items()})
    json.dump(found, sys.stdout)


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:  # whichever class a client thinks right
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        return {"error": type(error).__name__, "status": status, "message": str(error)}


def chat(client: Any, prompt: str) -> object:  # noqa: ANN401 - its types are not installed here
    system = {"role": "system", "content": "Be brief."}
    reply = client.chat.completions.create(
        model=MODEL, messages=[system, {"role": "user", "content": prompt}], temperature=0
    )
    choice, usage = reply.choices[0], reply.usage
    return [
        choice.message.content,
        choice.finish_reason,
        usage.prompt_tokens,
        usage.completion_tokens,
    ]


def completions(client: Any, prompt: str) -> object:  # noqa: ANN401
    reply = client.completions.create(model=MODEL, prompt=[prompt, prompt], temperature=0)
    texts = [choice.text for choice in sorted(reply.choices, key=lambda choice: choice.index)]
    return [texts, reply.choices[0].finish_reason, reply.usage.completion_tokens]


def embeddings(client: Any) -> object:  # noqa: ANN401
    reply = client.embeddings.create(model="hashed-words", input=INPUTS)
    return [item.embedding for item in reply.data]


def messages(client: Any, prompt: str) -> object:  # noqa: ANN401
    reply = client.messages.create(
        model=MODEL,
        system="Be brief.",
        max_tokens=100,
        messages=[{"role": "user", "content": prompt}],
    )
    [block] = reply.content
    return [block.text, reply.stop_reason, reply.usage.input_tokens, reply.usage.output_tokens]


def contents(client: Any, prompt: str) -> object:  # noqa: ANN401
    reply = client.models.generate_content(
        model=MODEL, contents=prompt, config={"system_instruction": "Be brief.", "temperature": 0}
    )
    usage = reply.usage_metadata
    return [
        reply.text,
        reply.candidates[0].finish_reason.value,
        usage.prompt_token_count,
        usage.candidates_token_count,
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
