"""The wire format of OpenAI's text completions: a prompt, or a list of them, in one request."""

from __future__ import annotations

import time

import orjson

from streaming_eval.local.answers import AnswerBook
from streaming_eval.local.chat_request import (
    ChatRequest,
    members,
    name_of,
    texts_in,
    tokens_said,
)
from streaming_eval.local.http_message import Head
from streaming_eval.local.openai_wire import OPENAI_KEY, openai_error, openai_limits
from streaming_eval.local.wire_format import WireFormat
from streaming_eval.records import Message


def _parse(head: Head, body: object) -> ChatRequest:
    asked = members(body)
    prompts = texts_in(asked.get("prompt"), "prompt")
    if asked.get("stream"):
        raise ValueError("'stream' is not supported here")
    if asked.get("n", 1) != 1:
        raise ValueError("'n' may only be 1 here")
    messages = tuple(Message("user", prompt) for prompt in prompts)
    return ChatRequest(name_of(asked.get("model")), messages)


def _answer(chat: ChatRequest, book: AnswerBook, call_id: str) -> bytes:
    answers = [book.answer(chat.model, (message,)) for message in chat.messages]
    choices = [
        {
            "index": index,
            "text": answer.text,
            "logprobs": None,
            "finish_reason": answer.finish_reason,
        }
        for index, answer in enumerate(answers)
    ]
    asked = sum(tokens_said(message.content) for message in chat.messages)
    said = sum(tokens_said(answer.text) for answer in answers)
    return orjson.dumps(
        {
            "id": f"cmpl-{call_id}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": chat.model,
            "choices": choices,
            "usage": {
                "prompt_tokens": asked,
                "completion_tokens": said,
                "total_tokens": asked + said,
            },
        }
    )


OPENAI_COMPLETIONS = WireFormat("choices", OPENAI_KEY, _parse, _answer, openai_error, openai_limits)
