"""Every way in which a call can fail, for every model API, over real connections."""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from streaming_eval.adapters.json_api import JsonApi
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.records import Response
from tests.adapters.api_cases import CASES, calling, one_input
from tests.adapters.loopback import Answer, Loopback, always, http
from tests.adapters.test_api_key_secrecy import REPEATED
from tests.adapters.test_http_exchange import PERMANENT, RETRYABLE, dribbling, never

BUSY = {"error": {"message": "slow down", "type": "rate_limit_error"}}
TIME_LIMIT_S = 0.3

every_api = pytest.mark.parametrize("name", MODEL_APIS)


async def failure(api: JsonApi, server: Loopback) -> InferenceError:
    """The error of one call, seen to hold nothing of the key."""
    with pytest.raises(InferenceError) as caught:
        await api.send(one_input(server.request()))
    error = caught.value
    shown = [str(error), error.reason, repr(error), repr(error.args), repr(api)]
    assert "canary" not in "".join([*shown, *traceback.format_exception(error)])
    assert error.__cause__ is None and error.__context__ is None
    return error


async def through_retry(
    name: str, answer: Answer, deadline_s: float = 10, attempts: int = 4
) -> Response:
    async with calling(name, answer) as (api, server):
        complete = with_retry(
            api.send,
            max_attempts=attempts,
            deadline_s=deadline_s,
            sleep=lambda _: asyncio.sleep(0),
            random=random.Random(1).random,
            clock=time.monotonic,
        )
        return await complete(one_input(server.request()))


@pytest.mark.parametrize(
    ("name", "document", "reason"),
    [(name, *found) for name, case in CASES.items() for found in case.without.values()],
    ids=[f"{name} with {what}" for name, case in CASES.items() for what in case.without],
)
async def test_a_200_without_an_answer_is_final(name: str, document: object, reason: str) -> None:
    async with calling(name, always(http(document))) as (api, server):
        error = await failure(api, server)
    assert (type(error), error.reason) == (PermanentError, reason)


@every_api
async def test_an_error_in_a_200_that_will_pass_may_be_retried(name: str) -> None:
    busy = {"error": {"message": "busy", "code": 503}}
    async with calling(name, always(http(busy))) as (api, server):
        error = await failure(api, server)
    assert (type(error), error.reason, error.message) == (RetryableError, "error_in_200", "busy")


@every_api
@pytest.mark.parametrize(("reply", "reason"), PERMANENT.values(), ids=PERMANENT.keys())
async def test_a_reply_that_cannot_be_used_is_final(name: str, reply: bytes, reason: str) -> None:
    answer = always(reply, close=True)
    async with calling(name, answer, max_reply_bytes=65_536) as (api, server):
        error = await failure(api, server)
    assert (type(error), error.reason) == (PermanentError, reason)


@every_api
@pytest.mark.parametrize(("reply", "reason"), RETRYABLE.values(), ids=RETRYABLE.keys())
async def test_a_broken_connection_may_be_retried(name: str, reply: bytes, reason: str) -> None:
    async with calling(name, always(reply, close=True)) as (api, server):
        error = await failure(api, server)
    assert (type(error), error.reason) == (RetryableError, reason)


@every_api
@pytest.mark.parametrize("reply", REPEATED.values(), ids=REPEATED.keys())
async def test_the_key_is_in_no_error_even_when_the_server_repeats_it(
    name: str, reply: bytes
) -> None:
    async with calling(name, always(reply, close=True)) as (api, server):
        await failure(api, server)
        assert server.received[0].headers[CASES[name].header[0]] == CASES[name].header[1]


@every_api
@pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 503, 529])
async def test_a_status_is_explained_and_retried_where_that_may_help(
    name: str, status: int
) -> None:
    async with calling(name, always(http(BUSY, f"{status} No", Retry_After="3"))) as (api, server):
        error = await failure(api, server)
    passes = status in (408, 429) or status >= 500
    assert isinstance(error, RetryableError if passes else PermanentError)
    assert (error.reason, error.message) == (f"http_{status}", "slow down")
    assert getattr(error, "retry_after_s", None) == (3 if passes else None)


@every_api
async def test_a_reply_of_10_mb_is_given_up(name: str) -> None:
    async with calling(name, always(http(b" " * 10_000_000))) as (api, server):
        error = await failure(api, server)
    assert (type(error), error.reason) == (PermanentError, "too_large")


@every_api
@pytest.mark.parametrize("silent", [True, False], ids=["no reply", "byte by byte"])
async def test_the_time_limit_covers_the_last_byte(name: str, silent: bool) -> None:
    answer = never if silent else dribbling(http(CASES[name].good))
    async with calling(name, answer, timeout_s=TIME_LIMIT_S) as (api, server):
        started = time.monotonic()
        error = await failure(api, server)
        took_s = time.monotonic() - started
    assert (type(error), error.reason) == (RetryableError, "timeout")
    assert TIME_LIMIT_S <= took_s <= TIME_LIMIT_S + 0.3


@every_api
@pytest.mark.parametrize("silent", [True, False], ids=["no reply", "byte by byte"])
async def test_through_retry_a_call_ends_with_its_deadline(name: str, silent: bool) -> None:
    answer = never if silent else dribbling(http(CASES[name].good))
    started = time.monotonic()
    response = await through_retry(name, answer, deadline_s=TIME_LIMIT_S)
    assert (response.text, response.error) == (None, "deadline")
    assert time.monotonic() - started <= TIME_LIMIT_S + 0.3


@every_api
@pytest.mark.parametrize("wish", ["soon", "", "-3", "0"])
async def test_a_retry_after_that_says_nothing_does_not_hold_up(name: str, wish: str) -> None:
    response = await through_retry(name, always(http(BUSY, "429 Busy", Retry_After=wish)))
    assert (response.error, response.attempts) == ("http_429", 4)


async def test_a_wish_that_a_proxy_passes_on_reaches_retry_whatever_its_case() -> None:
    reply = http(BUSY, "429 Busy", **{"LLM_provider-Retry-After": "3"})
    async with calling("openai_chat", always(reply.replace(b"LLM-p", b"llm_p"))) as (api, server):
        error = await failure(api, server)
    assert getattr(error, "retry_after_s", None) == 3


@every_api
@pytest.mark.parametrize("far", ["1000000000", "a date"])
async def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once(name: str, far: str) -> None:
    wish = format_datetime(datetime.now(UTC) + timedelta(days=9)) if far == "a date" else far
    started = time.monotonic()
    response = await through_retry(name, always(http(BUSY, "429 Busy", Retry_After=wish)))
    assert (response.error, response.attempts) == ("deadline", 1)
    assert time.monotonic() - started < 1


@every_api
async def test_a_request_for_another_endpoint_is_refused(name: str) -> None:
    async with calling(name, always(http(CASES[name].good))) as (api, server):
        elsewhere = Loopback("http://169.254.169.254/v1")
        error = await failure(api, elsewhere)
    assert (error.reason, server.connections) == ("wrong_endpoint", 0)
