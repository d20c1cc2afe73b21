"""The makers' own clients understand the recorded endpoint, as ours do, and its errors too."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.embeddings_wire import hashed_words
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.questions import load_questions
from tests.local import official_clients
from tests.local.api_calls import CHAT_APIS, answers
from tests.local.foreign_environment import environment

CLIENTS = ("openai==3.54.0", "anthropic==2.12.0", "google-genai==3.4.0")
KEY = "sesame"
ERRORS = {  # status: by API, the class that its client has for it
    401: ("AuthenticationError", "AuthenticationError", "ClientError"),
    404: ("NotFoundError", "NotFoundError", "ClientError"),
    429: ("RateLimitError", "RateLimitError", "ClientError"),
    500: ("InternalServerError", "InternalServerError", "ServerError"),
    503: ("InternalServerError", "", "ServerError"),
    529: ("", "OverloadedError", ""),
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python() -> Path:
    """An interpreter that has the clients."""
    return environment(*CLIENTS) / "bin" / "python"


def ask(
    python: Path, endpoint: RecordedEndpoint, *prompts: str, key: str = KEY
) -> list[dict[str, Any]]:
    """What each official client makes of the endpoint's reply to each prompt."""
    script = Path(official_clients.__file__)
    command = [str(part) for part in (python, "-I", script, endpoint.root_url, key, *prompts)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def errors(found: dict[str, Any]) -> list[tuple[int, str]]:
    return [(found[name]["status"], found[name]["error"]) for name in CHAT_APIS]


async def test_they_read_what_our_clients_read(python: Path) -> None:
    question = next(q for q in load_questions() if q.answers["llama-2-7b"].endswith("."))
    with RecordedEndpoint(api_key=KEY) as endpoint:
        [theirs] = ask(python, endpoint, question.prompt)
        ours = {
            name: (await answers(name, endpoint, question.prompt, api_key=KEY))[0]
            for name in CHAT_APIS
        }
    for name, reason in zip(CHAT_APIS, ("stop", "end_turn", "STOP"), strict=True):
        text, finish_reason, asked, said = theirs[name]
        assert text == ours[name].text == question.answers["llama-2-7b"]
        assert (finish_reason, ours[name].finish_reason) == (reason, "stop")
        assert asked > (ours[name].usage.input_tokens or 0) > 0, "they sent a system prompt too"
        assert said == ours[name].usage.output_tokens
    text, said = theirs["openai_chat"][0], theirs["openai_chat"][3]
    assert theirs["openai_completions"] == [[text, text], "stop", 2 * said]
    vectors = [hashed_words(text, 256) for text in official_clients.INPUTS]
    assert np.allclose(theirs["openai_embeddings"], vectors)


def test_they_know_a_wrong_key(python: Path) -> None:
    with RecordedEndpoint(api_key=KEY) as endpoint:
        [found] = ask(python, endpoint, "Why?", key="wrong")
    assert errors(found) == [(401, kind) for kind in ERRORS[401]]
    assert found["openai_embeddings"]["status"] == 401
    assert found["openai_completions"]["status"] == 401


def test_they_know_what_does_not_exist(python: Path) -> None:
    with RecordedEndpoint() as endpoint:
        [found] = ask(python, endpoint, "never asked")
    assert errors(found) == [(404, kind) for kind in ERRORS[404]]
    assert all("was never asked this" in found[name]["message"] for name in CHAT_APIS)


def test_they_know_that_they_ask_too_much(python: Path) -> None:
    with RecordedEndpoint(Behaviour(requests_per_minute=0.01, burst=5), synthetic=True) as endpoint:
        first, second = ask(python, endpoint, "Why?", "Why not?")
    assert [first[name][1] for name in CHAT_APIS] == ["stop", "end_turn", "STOP"]
    assert errors(second) == [(429, kind) for kind in ERRORS[429]]


def test_they_know_a_server_in_trouble(python: Path) -> None:
    with RecordedEndpoint(Behaviour(error_rate=1), synthetic=True) as endpoint:
        rounds = ask(python, endpoint, *map(str, range(12)))
    seen = {
        (place, status, kind)
        for found in rounds
        for place, (status, kind) in enumerate(errors(found))
        if status is not None  # a reset connection has none
    }
    assert seen == {
        (place, status, kind)
        for status in (500, 503, 529)
        for place, kind in enumerate(ERRORS[status])
        if kind
    }
