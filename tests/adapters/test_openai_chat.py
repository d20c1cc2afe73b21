"""The wire format, against a server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from streaming_eval.adapters.openai_chat import OpenAIChat, open_session
from streaming_eval.errors import PermanentError, RetryableError, SettingsError
from streaming_eval.records import Message, Request, Usage
from tests.adapters.loopback import GOOD, Loopback, Received, always, http, serving

Connect = Callable[..., OpenAIChat]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with open_session(max_in_flight=64) as session:

        def connected(server: Loopback, api_key: str | None = None) -> OpenAIChat:
            return OpenAIChat(session, base_url=server.base_url, api_key=api_key, timeout_s=5)

        yield connected


def choice(**message: object) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop"}]}


async def test_an_answer_comes_with_all_that_is_said_of_it(connect: Connect) -> None:
    async with serving(always(http(GOOD))) as server, open_session(1) as session:
        api = OpenAIChat(
            session, base_url=server.base_url, api_key=None, timeout_s=5, now=lambda: 1.7e9
        )
        response = await api.send(server.request())
    assert (response.text, response.error) == ("Because.", None)
    assert (response.finish_reason, response.usage) == ("stop", Usage(9, 3))
    assert (response.created_ms, response.attempts, response.cached) == (
        1_700_000_000_000,
        1,
        False,
    )
    assert response.latency_ms is not None
    assert 0 < response.latency_ms < 5_000


async def test_the_request_goes_out_whole(connect: Connect) -> None:
    async with serving(always(http(GOOD))) as server:
        await connect(server, "sk-1").send(server.request("Où? 🤔", temperature=0.5, stop=["\n"]))
    (sent,) = server.received
    assert sent.line == "POST /v1/chat/completions HTTP/1.1"
    assert orjson.loads(sent.body) == {
        "model": "llama-2-7b",
        "messages": [
            {"role": "system", "content": "Answer."},
            {"role": "user", "content": "Où? 🤔"},
        ],
        "temperature": 0.5,
        "stop": ["\n"],
    }
    assert sent.headers["authorization"] == "Bearer sk-1"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["accept-encoding"] == "identity"


async def test_without_a_key_no_authorization_is_sent(connect: Connect) -> None:
    async with serving(always(http(GOOD))) as server:
        await connect(server).send(server.request())
    assert "authorization" not in server.received[0].headers


@pytest.mark.parametrize("key", ["", "sk\r\nX-Evil: 1", "schlüssel", "a\x00b"])
async def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(
    connect: Connect, key: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        connect(Loopback("http://127.0.0.1:9/v1"), key)
    assert not key or key not in str(caught.value)


async def test_parameters_cannot_replace_model_or_messages(connect: Connect) -> None:
    async with serving(always(http(GOOD))) as server:
        await connect(server).send(server.request(model="gpt-4", messages=[]))
    sent = orjson.loads(server.received[0].body)
    assert (sent["model"], len(sent["messages"])) == ("llama-2-7b", 2)


async def test_a_prompt_of_megabytes_is_sent(connect: Connect) -> None:
    async with serving(always(http(GOOD))) as server:
        response = await connect(server).send(server.request("x" * 3_000_000))
    assert response.text == "Because."
    assert len(server.received[0].body) > 3_000_000


async def test_a_request_that_json_cannot_say_is_not_sent(connect: Connect) -> None:
    async with serving(always(http(GOOD))) as server:
        with pytest.raises(PermanentError) as caught:
            await connect(server).send(server.request("\ud800"))
    assert (caught.value.reason, server.connections) == ("invalid_request", 0)


async def test_a_request_for_another_endpoint_is_refused(connect: Connect) -> None:
    async with serving(always(http(GOOD))) as server:
        other = Request("http://169.254.169.254/v1", "openai_chat", "m", (Message("user", "?"),))
        with pytest.raises(PermanentError) as caught:
            await connect(server).send(other)
    assert (caught.value.reason, server.connections) == ("wrong_endpoint", 0)


async def test_one_connection_serves_many_calls(connect: Connect) -> None:
    async with serving(always(http(GOOD))) as server:
        api = connect(server)
        for _ in range(20):
            await api.send(server.request())
    assert (len(server.received), server.connections) == (20, 1)


async def test_calls_run_side_by_side(connect: Connect) -> None:
    everybody_is_here = asyncio.Event()

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        if len(server.received) == 64:
            everybody_is_here.set()
        await everybody_is_here.wait()
        writer.write(http(GOOD))

    async with serving(answer) as server:
        api = connect(server)
        responses = await asyncio.gather(*(api.send(server.request(str(n))) for n in range(64)))
    assert {response.text for response in responses} == {"Because."}


async def test_cookies_are_not_returned(connect: Connect) -> None:
    async with serving(always(http(GOOD, Set_Cookie="track=1"))) as server:
        for _ in range(2):
            await connect(server).send(server.request())
    assert all("cookie" not in received.headers for received in server.received)


async def test_proxies_of_the_environment_are_not_used(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(always(http(GOOD))) as server:
        assert (await connect(server).send(server.request())).text == "Because."


@pytest.mark.parametrize(
    ("document", "text", "finish_reason"),
    [
        (choice(content=""), "", "stop"),
        (choice(content="a", refusal=None), "a", "stop"),
        (choice(content=None, refusal="I cannot."), "I cannot.", "refusal"),
        ({"choices": [{"message": {"content": "a"}}]}, "a", None),
        ({"choices": [{"message": {"content": "a"}, "finish_reason": 7}]}, "a", None),
        (
            {"choices": [{"message": {"content": "cut"}, "finish_reason": "length"}]},
            "cut",
            "length",
        ),
        ({**choice(content="a"), "error": None}, "a", "stop"),
        ({"choices": [*choice(content="a")["choices"], {}]}, "a", "stop"),
    ],
)
async def test_every_kind_of_answer_is_an_answer(
    connect: Connect, document: object, text: str, finish_reason: str | None
) -> None:
    async with serving(always(http(document))) as server:
        response = await connect(server).send(server.request())
    assert (response.text, response.finish_reason) == (text, finish_reason)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ([], Usage()),
        ({"prompt_tokens": 4}, Usage(4, None)),
        ({"prompt_tokens": "4", "completion_tokens": True}, Usage()),
        ({"prompt_tokens": -1, "completion_tokens": 2**60}, Usage()),
        ({"prompt_tokens": 1.5, "completion_tokens": 0}, Usage(None, 0)),
    ],
)
async def test_impossible_token_counts_are_unknown(
    connect: Connect, usage: object, expected: Usage
) -> None:
    async with serving(always(http({**choice(content="a"), "usage": usage}))) as server:
        assert (await connect(server).send(server.request())).usage == expected


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "empty_choices"),
        ({"choices": []}, "empty_choices"),
        ({"choices": None}, "empty_choices"),
        ({"choices": {}}, "empty_choices"),
        ({"choices": ["text"]}, "empty_choices"),
        ({"choices": [{}]}, "empty_choices"),
        ({"choices": [{"message": "text"}]}, "empty_choices"),
        (choice(), "no_text"),
        (choice(content=None, tool_calls=[{}]), "no_text"),
        (choice(content=[{"type": "text", "text": "a"}]), "no_text"),
        ({"choices": [{"message": {"content": "par"}, "finish_reason": "content_filter"}]},
         "content_filter"),
        ({"error": {"message": "no such model", "code": 404}}, "error_in_200"),
        ({"error": "broken", "choices": []}, "error_in_200"),
    ],
)  # fmt: skip
async def test_a_200_without_an_answer_is_final(
    connect: Connect, document: object, reason: str
) -> None:
    async with serving(always(http(document))) as server:
        with pytest.raises(PermanentError) as caught:
            await connect(server).send(server.request())
    assert caught.value.reason == reason


@pytest.mark.parametrize("code", [429, 503])
async def test_an_error_in_a_200_that_will_pass_may_be_retried(connect: Connect, code: int) -> None:
    error = {"error": {"message": "overloaded", "code": code}}
    async with serving(always(http(error))) as server:
        with pytest.raises(RetryableError) as caught:
            await connect(server).send(server.request())
    assert (caught.value.reason, caught.value.message) == ("error_in_200", "overloaded")
