"""What is true of every model API where nothing fails, over real connections."""

from __future__ import annotations

from typing import get_args

import pytest

from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.json_api import Extras
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.errors import SettingsError
from streaming_eval.records import Message, Usage
from streaming_eval.settings.apis import EMBEDS, WRITES, Api
from tests.adapters.api_cases import CASES, KEY, calling, connected, one_input
from tests.adapters.loopback import Loopback, always, http
from tests.inference.requests import request

every_api = pytest.mark.parametrize("name", MODEL_APIS)


def test_every_api_has_its_example_and_its_own_name() -> None:
    assert set(CASES) == set(MODEL_APIS)
    assert {name: api.name for name, api in MODEL_APIS.items()} == {n: n for n in MODEL_APIS}


@every_api
async def test_an_answer_comes_with_all_that_is_said_of_it(name: str) -> None:
    case = CASES[name]
    async with calling(name, always(http(case.good)), now=lambda: 1.7e9) as (api, server):
        response = await api.send(one_input(server.request()))
        (received,) = server.received
    assert (response.text, response.error, response.usage) == (case.text, None, Usage(9, 3))
    assert (response.created_ms, response.attempts) == (1_700_000_000_000, 1)
    assert response.latency_ms is not None
    assert 0 < response.latency_ms < 5_000
    assert received.line == f"POST /v1{case.path} HTTP/1.1"
    assert received.headers[case.header[0]] == case.header[1]
    assert KEY not in received.line + received.body.decode()


@every_api
async def test_an_endpoint_may_want_extras(name: str) -> None:
    extras = Extras({"X-Team": "evals"}, {"api-version": "2024-10-21"}, "api-key")
    async with calling(name, always(http(CASES[name].good)), extras=extras) as (api, server):
        await api.send(one_input(server.request()))
        (received,) = server.received
    assert received.line.split()[1] == f"/v1{CASES[name].path}?api-version=2024-10-21"
    assert (received.headers["api-key"], received.headers["x-team"]) == (KEY, "evals")
    assert CASES[name].header[0] not in received.headers


@every_api
async def test_a_key_may_be_a_bearer_token(name: str) -> None:
    extras = Extras(key_header="Authorization")
    async with calling(name, always(http(CASES[name].good)), extras=extras) as (api, server):
        await api.send(one_input(server.request()))
    assert server.received[0].headers["authorization"] == f"Bearer {KEY}"


@every_api
async def test_without_a_key_none_is_sent(name: str) -> None:
    async with calling(name, always(http(CASES[name].good)), api_key=None) as (api, server):
        await api.send(one_input(server.request()))
    assert CASES[name].header[0] not in server.received[0].headers


@every_api
@pytest.mark.parametrize("headers", [{"X-A": "1\r\nX-B: 2"}, {"X\n": "1"}, {"X-A": "ü"}])
async def test_headers_that_no_request_can_carry_are_refused(
    name: str, headers: dict[str, str]
) -> None:
    async with open_session(1) as session:
        with pytest.raises(SettingsError, match="no header can carry"):
            connected(name, Loopback("http://127.0.0.1:9"), session, extras=Extras(headers))


@every_api
def test_every_api_knows_how_many_texts_the_model_will_write(name: str) -> None:
    asked = request(messages=(Message("user", "a"), Message("user", "b")))
    expected = {"openai_completions": 2, "openai_embeddings": 0}.get(name, 1)
    assert MODEL_APIS[name].outputs(asked) == expected


def test_the_configuration_knows_every_api_and_no_other() -> None:
    assert set(get_args(Api)) == set(MODEL_APIS)
    assert set(WRITES) | set(EMBEDS) == set(MODEL_APIS)


@every_api
async def test_an_error_beside_an_answer_is_none(name: str) -> None:
    document = {**CASES[name].good, "error": {"message": "deprecated", "code": 400}}
    async with calling(name, always(http(document))) as (api, server):
        response = await api.send(one_input(server.request()))
    assert response.text == CASES[name].text
