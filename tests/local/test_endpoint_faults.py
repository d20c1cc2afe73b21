"""Each fault of the recorded endpoint is what it says: our own client sees through it."""

import aiohttp
import pytest

from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.errors import InferenceError, RetryableError
from streaming_eval.local.behaviour import Behaviour, Fault
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.ports import free_ports
from streaming_eval.records import Message, Request
from tests.faults.reasons import REASONS

_TIME_LIMIT_S = 0.5


async def test_every_fault_ends_a_call_with_its_reason() -> None:
    [nobody] = free_ports(1)
    found = {}
    with RecordedEndpoint(Behaviour(redirect_port=nobody), synthetic=True) as endpoint:
        for fault in Fault:
            endpoint.control(fault_rate=1, faults=fault.value)
            found[fault] = await _error(endpoint)
        stats = endpoint.stats()
    assert {fault: error.reason for fault, error in found.items()} == REASONS
    assert _wish_s(found[Fault.RATE_LIMITED]) == 1
    assert _wish_s(found[Fault.RATE_LIMITED_SILENTLY]) is None
    assert stats["in_flight"] == 0, "who hung up is not waited for"
    slow = [Fault.LATE, Fault.NO_ANSWER, Fault.SLOW_LORIS]
    given_up = stats["given_up_after_s"]
    assert given_up[: len(slow)] == pytest.approx([_TIME_LIMIT_S] * len(slow), rel=0.2)


async def test_faults_come_together_and_are_named_in_the_control() -> None:
    with RecordedEndpoint(synthetic=True) as endpoint:
        changed = endpoint.control(fault_rate=1, faults="garbage,not_http")
        assert changed.chosen_faults == (Fault.GARBAGE, Fault.NOT_HTTP)
        reasons = {(await _error(endpoint)).reason for _ in range(20)}
    assert reasons == {"bad_json", "bad_http"}


async def test_an_endless_reply_is_sent_to_its_end_to_whoever_reads_it() -> None:
    behaviour = Behaviour(fault_rate=1, faults="endless_body")
    body = {"model": "llama-2-7b", "messages": [{"role": "user", "content": "Why?"}]}
    with RecordedEndpoint(behaviour, synthetic=True) as endpoint:
        url = f"{endpoint.base_url}/chat/completions"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as reply:
            size = sum([len(chunk) async for chunk in reply.content.iter_any()])
        assert endpoint.stats()["in_flight"] == 0
    assert size == 100_000_000


async def _error(endpoint: RecordedEndpoint) -> InferenceError:
    request = Request(
        endpoint=endpoint.base_url,
        api="openai_chat",
        model="llama-2-7b",
        messages=(Message("user", "Why?"),),
        parameters={},
    )
    async with open_session(1) as session:
        api = MODEL_APIS["openai_chat"](
            session, base_url=endpoint.base_url, api_key=None, timeout_s=_TIME_LIMIT_S
        )
        with pytest.raises(InferenceError) as raised:
            await api.send(request)
    return raised.value


def _wish_s(error: InferenceError) -> float | None:
    assert isinstance(error, RetryableError)
    return error.retry_after_s
