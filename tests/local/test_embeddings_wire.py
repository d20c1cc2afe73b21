"""Vectors by hashing words, and how they fare through our client and `with_coalescing`."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import Any

import aiohttp
import numpy as np
import orjson

from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.openai_embeddings import OpenAIEmbeddings
from streaming_eval.inference.calls.coalesce import with_coalescing
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.local.embeddings_wire import hashed_words
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.records import Message
from tests.local.api_calls import asked

API = "openai_embeddings"


def test_texts_that_share_words_are_near_each_other() -> None:
    one, near, far, same = (
        hashed_words(text, 256)
        for text in ("the red fox ran", "a red fox ran", "stocks fell on monday", "THE RED fox ran")
    )
    assert one @ near > 0.5 > abs(one @ far)
    assert (one == same).all()


def test_every_vector_has_length_one() -> None:
    for text in ("a", " ", "a b c", "word " * 1_000):
        assert abs(np.linalg.norm(hashed_words(text, 7)) - 1) < 1e-6


async def test_both_encodings_say_the_same(
    http: aiohttp.ClientSession, shared_endpoint: RecordedEndpoint
) -> None:
    found = []
    for encoding in ("float", "base64"):
        asked_for = {"encoding_format": encoding, "dimensions": 5}
        body = {"model": "hashed-words", "input": "Why?", **asked_for}
        async with http.post(f"{shared_endpoint.base_url}/embeddings", json=body) as reply:
            found.append((await reply.json())["data"][0]["embedding"])
    numbers, packed = found
    assert np.array_equal(np.float32(numbers), np.frombuffer(b64decode(packed), "<f4"))


async def test_through_the_stack_each_input_gets_its_vector_and_a_bad_one_fails_alone() -> None:
    texts: list[Any] = [f"word{n} and more" for n in range(500)]
    texts[123] = ""  # which the endpoint refuses, and everything that comes with it
    with RecordedEndpoint() as endpoint:
        async with open_session(8) as session:
            api = OpenAIEmbeddings(session, base_url=endpoint.base_url, api_key=None, timeout_s=10)
            complete = with_coalescing(
                with_retry(
                    api.send,
                    max_attempts=2,
                    deadline_s=10,
                    sleep=asyncio.sleep,
                    random=lambda: 0.5,
                    clock=asyncio.get_running_loop().time,
                ),
                max_inputs=128,
                max_chars=10**6,
                max_wait_s=0.01,
                sleep=asyncio.sleep,
            )
            requests = [asked(API, endpoint, Message("user", text)) for text in texts]
            responses = await asyncio.gather(*map(complete, requests))
        calls = endpoint.stats()["calls"]
    assert [n for n, response in enumerate(responses) if response.error] == [123]
    assert responses[123].error == "http_400"
    for text, response in zip(texts, responses, strict=True):
        if response.text is not None:
            assert np.allclose(orjson.loads(response.text), hashed_words(text, 256))
    assert calls == sum(response.attempts for response in responses) == 4 + 2 * 7
