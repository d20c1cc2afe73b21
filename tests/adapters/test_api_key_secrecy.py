"""The API key stays out of whatever people may get to see."""

from __future__ import annotations

import traceback

import pytest

from tests.adapters.calling import KEY, Connect, connect, failure
from tests.adapters.loopback import CHUNKED, GOOD, always, http, serving

__all__ = ["connect"]  # a fixture

REPEATED = {
    "in an explanation": http(
        {"error": {"message": f"Incorrect API key provided: {KEY}"}}, "401 Unauthorized"
    ),
    "cut off in an explanation": http({"error": "x" * 290 + KEY}, "429 Busy"),
    "in an error with status 200": http({"error": {"message": KEY, "code": KEY}}),
    "as the reply": http(KEY.encode()),
    "in a redirect": http(GOOD, "302 Found", Location=f"http://{KEY}/"),
    "as content type": http(GOOD, content_type=KEY),
    "as status line": f"{KEY}\r\n\r\n".encode(),
    "as status": f"HTTP/1.1 {KEY}\r\n\r\n".encode(),
    "in a broken header": f"HTTP/1.1 200 OK\r\n{KEY} : \x00\r\n\r\n".encode(),
    "in a header too long": f"HTTP/1.1 200 OK\r\nX: {KEY * 1_000}\r\n\r\n".encode(),
    "in half a head": f"HTTP/1.1 200 OK\r\n{KEY}".encode(),
    "in half a chunk": CHUNKED + KEY.encode(),
    "not at all": b"",
}


@pytest.mark.parametrize("reply", REPEATED.values(), ids=REPEATED.keys())
async def test_the_api_key_is_in_no_error_even_when_the_server_repeats_it(
    connect: Connect, reply: bytes
) -> None:
    async with serving(always(reply, close=True)) as server:
        api = connect(server)
        error = await failure(api, server)
        assert f"Bearer {KEY}" == server.received[0].headers["authorization"]
    shown = [str(error), error.message, error.reason, repr(error), repr(error.args), repr(api)]
    shown += traceback.format_exception(error)
    assert "canary" not in "".join(shown)
    assert error.__cause__ is None
    assert error.__context__ is None, "errors of aiohttp hold the request's headers"
