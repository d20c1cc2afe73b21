"""Our own clients as the tests of the recorded endpoint use them."""

from __future__ import annotations

from collections.abc import Mapping

from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.errors import InferenceError
from streaming_eval.inference.complete import failed
from streaming_eval.local.embeddings_wire import HASHED_WORDS
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.records import Message, Request, Response

CHAT_APIS = ("openai_chat", "anthropic_messages", "gemini")
TEXT_APIS = (*CHAT_APIS, "openai_completions")


def base_url(name: str, endpoint: RecordedEndpoint) -> str:
    """Where the endpoint serves that API."""
    return f"{endpoint.root_url}/{'v1beta' if name == 'gemini' else 'v1'}"


def asked(
    name: str,
    endpoint: RecordedEndpoint,
    *messages: Message,
    parameters: Mapping[str, object] | None = None,
) -> Request:
    """A request for the endpoint in that API, to a model that it has."""
    model = HASHED_WORDS if name == "openai_embeddings" else "llama-2-7b"
    return Request(base_url(name, endpoint), name, model, messages, parameters or {})


async def answers(
    name: str, endpoint: RecordedEndpoint, *prompts: str, api_key: str | None = None
) -> list[Response]:
    """What our client makes of the endpoint's replies to these prompts, one after the other."""
    found = []
    async with open_session(8) as session:
        api = MODEL_APIS[name](
            session, base_url=base_url(name, endpoint), api_key=api_key, timeout_s=10
        )
        for prompt in prompts:
            try:
                found.append(await api.send(asked(name, endpoint, Message("user", prompt))))
            except InferenceError as error:
                found.append(failed(error, attempts=1))
    return found
