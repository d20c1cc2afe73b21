"""What the real server process answers, over real HTTP."""

import aiohttp
import pytest

from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.questions import RECORDED_MODELS, load_questions
from streaming_eval.records import Sample
from streaming_eval.scoring.judge import judge_messages
from tests.local.endpoint_calls import ask, chat

QUESTIONS = 5


@pytest.mark.parametrize("model", RECORDED_MODELS)
async def test_recorded_prompts_get_the_recorded_answer(
    http: aiohttp.ClientSession, shared_endpoint: RecordedEndpoint, model: str
) -> None:
    for question in load_questions()[:QUESTIONS]:
        body = chat(question.prompt, model)
        body["messages"].insert(0, {"role": "system", "content": "Be brief."})
        status, reply = await ask(http, shared_endpoint, body)
        assert status == 200
        [choice] = reply["choices"]
        assert choice["message"] == {"role": "assistant", "content": question.answers[model]}
        assert choice["finish_reason"] in ("stop", "length")
        usage = reply["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert 0 < usage["prompt_tokens"] < len(question.prompt) + 20
        assert reply["model"] == model


async def test_the_scripted_judge_says_that_it_is_one(
    http: aiohttp.ClientSession, shared_endpoint: RecordedEndpoint
) -> None:
    sample = Sample("s", 0, "assistant", (), targets=("Paris",))
    messages = judge_messages("Right?", sample, "Paris.", 1, 3)
    body = {
        "model": "scripted-judge",
        "messages": [{"role": m.role, "content": m.content} for m in messages],
    }
    status, reply = await ask(http, shared_endpoint, body)
    assert status == 200
    assert reply["system_fingerprint"] == "scripted-judge-1"
    assert reply["choices"][0]["message"]["content"].startswith('{"score":3,')


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (chat("never asked"), 404, "prompt_not_recorded"),
        (chat("never asked", "gpt-9"), 404, "model_not_found"),
        (chat("no judge's prompt", "scripted-judge"), 400, "not_a_judge_prompt"),
        ([], 400, None),
        ({"model": "gpt-4", "messages": []}, 400, None),
        ({"model": "gpt-4", "messages": [{"role": "user", "content": 1}]}, 400, None),
        ({**chat("x"), "stream": True}, 400, None),
        ({**chat("x"), "n": 2}, 400, None),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    http: aiohttp.ClientSession,
    shared_endpoint: RecordedEndpoint,
    body: object,
    status: int,
    code: str | None,
) -> None:
    given, reply = await ask(http, shared_endpoint, body)
    assert (given, reply["error"]["code"]) == (status, code)


async def test_models_are_listed(
    http: aiohttp.ClientSession, shared_endpoint: RecordedEndpoint
) -> None:
    async with http.get(f"{shared_endpoint.base_url}/models") as reply:
        models = [model["id"] for model in (await reply.json())["data"]]
    assert models == [*RECORDED_MODELS, "scripted-judge", "hashed-words"]


async def test_other_paths_and_methods_are_named(
    http: aiohttp.ClientSession, shared_endpoint: RecordedEndpoint
) -> None:
    async with http.get(f"{shared_endpoint.base_url}/nothing") as reply:
        assert reply.status == 404
    async with http.get(f"{shared_endpoint.base_url}/chat/completions") as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")


async def test_synthetic_answers_depend_on_the_prompt_alone(
    http: aiohttp.ClientSession,
) -> None:
    with RecordedEndpoint(synthetic=True) as endpoint:
        bodies = [chat("a", "any"), chat("b", "any"), chat("a", "any")]
        replies = [await ask(http, endpoint, body) for body in bodies]
    texts = [reply["choices"][0]["message"]["content"] for _, reply in replies]
    assert texts[0] == texts[2] != texts[1]


async def test_only_the_right_key_is_let_in(http: aiohttp.ClientSession) -> None:
    prompt = load_questions()[0].prompt
    found = []
    with RecordedEndpoint(api_key="sesame") as endpoint:
        for key in (None, "Bearer wrong", "Bearer sesame"):
            headers = {"Authorization": key} if key else {}
            async with http.post(
                f"{endpoint.base_url}/chat/completions", json=chat(prompt), headers=headers
            ) as reply:
                found.append(reply.status)
        async with http.get(f"{endpoint.base_url}/models") as reply:
            found.append(reply.status)
    assert found == [401, 401, 200, 401]
