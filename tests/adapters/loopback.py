"""Servers on loopback that send exactly the bytes a test wants, however wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from streaming_eval.records import Message, Request

GOOD: Mapping[str, object] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Because."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came over the wire; header names in lower case."""

    line: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Loopback:
    """A running server: where it is, and what it was sent."""

    base_url: str
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def request(self, question: str = "Why?", **parameters: object) -> Request:
        """A request for this server."""
        return Request(
            endpoint=self.base_url,
            api="openai_chat",
            model="llama-2-7b",
            messages=(Message("system", "Answer."), Message("user", question)),
            parameters=parameters,
        )


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Loopback]:
    """Serve `answer` until the block ends; connections that are left then are cut."""
    open_connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_connections.add(task)
        loopback.connections += 1
        try:
            while not writer.is_closing():
                received = await _receive(reader)
                loopback.received.append(received)
                await answer(received, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            open_connections.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loopback = Loopback(f"http://127.0.0.1:{port}/v1")
    try:
        yield loopback
    finally:
        server.close()
        for task in tuple(open_connections):
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)
        await server.wait_closed()


async def _receive(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.split("\r\n")
    pairs = (text.split(":", 1) for text in fields if text)
    headers = {name.lower(): value.strip() for name, value in pairs}
    return Received(line, headers, await reader.readexactly(int(headers["content-length"])))


def http(
    body: bytes | object,
    status: str = "200 OK",
    content_type: str = "application/json",
    **headers: str,
) -> bytes:
    """A well-formed reply; header names with `_` for `-`."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    fields = {"Content-Type": content_type, "Content-Length": str(len(content))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + content


def always(data: bytes, close: bool = False) -> Answer:
    """Answers every request with these bytes."""

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if close:
            writer.close()

    return answer
