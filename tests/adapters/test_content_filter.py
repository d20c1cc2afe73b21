"""A filter that stops a prompt or an answer: one reason, whichever API says so and however."""

from __future__ import annotations

import asyncio
import time

import pytest

from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.errors import InferenceError, PermanentError
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.inference.cache.with_cache import CachePolicy, with_cache
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.records import Response
from tests.adapters.api_cases import calling, candidate, completions, message, one_input
from tests.adapters.loopback import always, http

AZURE = {
    "error": {
        "message": "The response was filtered due to the content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
        },
    }
}
LITELLM = {
    "error": {
        "message": "The response was filtered",
        "type": None,
        "code": "400",
        "provider_specific_fields": {"innererror": {"code": "ResponsibleAIPolicyViolation"}},
    }
}
OLD_LITELLM = {
    "error": {"message": "litellm.ContentPolicyViolationError: AzureException", "code": "400"}
}
ANTHROPIC = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": "Output blocked by content filtering policy",
    },
}
FILTERED = {
    "Azure": AZURE,
    "Azure's inner code alone": {"error": {"innererror": AZURE["error"]["innererror"]}},
    "LiteLLM": LITELLM,
    "an older LiteLLM": OLD_LITELLM,
    "Anthropic": ANTHROPIC,
    "OpenAI": {"error": {"message": "no", "code": "content_policy_violation"}},
}
OTHERWISE_WRONG = {
    "another code": {"error": {"message": "filter", "code": "invalid_prompt"}},
    "a code of another kind": {"error": {"message": "m", "code": ["content_filter"]}},
    "an inner error of another kind": {"error": {"message": "m", "innererror": "content_filter"}},
    "no object": ["content_filter"],
}

every_api = pytest.mark.parametrize("name", MODEL_APIS)


async def reason(name: str, reply: bytes) -> tuple[type[InferenceError], str]:
    async with calling(name, always(reply)) as (api, server):
        with pytest.raises(InferenceError) as caught:
            await api.send(one_input(server.request()))
    return type(caught.value), caught.value.reason


@every_api
@pytest.mark.parametrize("document", FILTERED.values(), ids=FILTERED.keys())
async def test_a_400_of_a_filter_is_told_from_a_bad_request(name: str, document: object) -> None:
    found = await reason(name, http(document, "400 Bad Request"))
    assert found == (PermanentError, "content_filter")


@pytest.mark.parametrize("document", OTHERWISE_WRONG.values(), ids=OTHERWISE_WRONG.keys())
async def test_any_other_400_blames_the_request(document: object) -> None:
    found = await reason("openai_chat", http(document, "400 Bad Request"))
    assert found == (PermanentError, "http_400")


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_with_any_other_status_the_status_counts(status: int) -> None:
    assert (await reason("openai_chat", http(AZURE, f"{status} No")))[1] == f"http_{status}"


@every_api
async def test_a_filter_that_speaks_with_status_200_is_one(name: str) -> None:
    assert await reason(name, http(AZURE)) == (PermanentError, "content_filter")


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("openai_chat", {"choices": [{"message": {}, "finish_reason": "content_filter"}]}),
        ("openai_completions", completions("Bec", finish_reason="content_filter")),
        ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}}),
        ("gemini", candidate({"text": "Bec"}, finishReason="PROHIBITED_CONTENT")),
    ],
)
async def test_an_answer_that_was_filtered_is_none(name: str, document: object) -> None:
    assert await reason(name, http(document)) == (PermanentError, "content_filter")


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("openai_chat", {"choices": [{"message": {"content": None, "refusal": "I cannot."}}]}),
        (
            "anthropic_messages",
            message(content=[{"type": "text", "text": "I cannot."}], stop_reason="refusal"),
        ),
    ],
)
async def test_a_model_that_refuses_has_answered(name: str, document: object) -> None:
    async with calling(name, always(http(document))) as (api, server):
        response = await api.send(one_input(server.request()))
    assert (response.text, response.finish_reason, response.error) == (
        "I cannot.",
        "refusal",
        None,
    )


async def test_what_was_filtered_is_asked_once_and_not_kept() -> None:
    kept: list[PaidAnswer] = []
    async with calling("openai_chat", always(http(AZURE, "400 Bad Request"))) as (api, server):
        complete = with_cache(
            with_retry(
                api.send,
                max_attempts=5,
                deadline_s=5,
                sleep=asyncio.sleep,
                random=lambda: 0.5,
                clock=time.monotonic,
            ),
            lookup=lambda key: None,
            store=kept.append,
            policy=CachePolicy.READ_WRITE,
        )
        response: Response = await complete(server.request())
        assert (response.error, response.attempts, len(server.received)) == ("content_filter", 1, 1)
    assert kept == []
