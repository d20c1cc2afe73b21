"""One HTTP connection: reads requests, waits out their delay, answers them in order."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import orjson

from streaming_eval.local.http_message import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    BadRequest,
    Head,
    Piece,
    Reply,
    read_head,
)

Handler = Callable[[Head, bytes], Reply]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINGER_S = 1.0
_ENOUGH = MAX_HEAD_BYTES + MAX_BODY_BYTES


@dataclass(slots=True)
class InFlight:
    """Requests whose reply takes time: now, and the most at any one time.

    Attributes:
        given_up_after_s: how long each client waited that went away without its reply.
    """

    now: int = 0
    most: int = 0
    given_up_after_s: list[float] = field(default_factory=list)

    def enter(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def leave(self) -> None:
        self.now -= 1


class Connection(asyncio.Protocol):
    """Serves one client; requests sent ahead (pipelined) are answered one after the other.

    Args:
        handle: gives the reply to a request at once; the connection waits out its delay.
        in_flight: counts the requests of all connections whose reply takes time.
    """

    def __init__(self, handle: Handler, in_flight: InFlight) -> None:
        self._handle = handle
        self._in_flight = in_flight
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._pieces: Iterator[Piece] | None = None
        self._asked_at = 0.0
        self._writable = True
        self._told_to_continue = self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by shape only

    def connection_lost(self, exc: Exception | None) -> None:
        if self._busy:
            self._in_flight.leave()
            self._in_flight.given_up_after_s.append(self._loop.time() - self._asked_at)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._pieces = None

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self._pieces is not None and self._timer is None:
            self._send_pieces(self._pieces)
        self._advance()

    @property
    def _busy(self) -> bool:
        """Whether a reply is under way that takes time."""
        return self._timer is not None or self._pieces is not None

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._buffer += data
        if not self._busy and self._writable:
            self._advance()
        if len(self._buffer) > _ENOUGH:
            self._transport.pause_reading()

    def _advance(self) -> None:
        """Serves what is complete in the buffer, until a delay or a full socket interrupts."""
        try:
            while self._buffer and not self._busy and self._writable and self._serve_one():
                pass
        except BadRequest as error:
            self._refuse(error)
        if len(self._buffer) <= _ENOUGH and not self._transport.is_closing():
            self._transport.resume_reading()

    def _refuse(self, error: BadRequest) -> None:
        """Says why, and closes when the client has had time to read it.

        A socket that is closed with bytes left to read is reset, and the client may lose the reply.
        """
        self._refused, self._buffer = True, b""
        body = orjson.dumps({"error": {"message": error.message, "type": "bad_request"}})
        self._transport.write(Reply(error.status, body).encode(keep_alive=False))
        self._transport.write_eof()
        self._loop.call_later(_LINGER_S, self._transport.close)

    def _serve_one(self) -> bool:
        """Whether a request was taken from the buffer."""
        found = read_head(self._buffer)
        if found is None:
            return False
        head, start = found
        end = start + head.body_bytes
        if len(self._buffer) < end:
            self._continue(head)
            return False
        body = self._buffer[start:end]
        self._buffer = self._buffer[end:]
        self._told_to_continue = False
        self._answer(self._handle(head, body), head.keep_alive)
        return True

    def _continue(self, head: Head) -> None:
        """Asks once for a body that the client holds back (RFC 9110, section 10.1.1)."""
        if not self._told_to_continue and head.headers.get("expect", "").lower() == "100-continue":
            self._told_to_continue = True
            self._transport.write(_CONTINUE)

    def _answer(self, reply: Reply, keep_alive: bool) -> None:
        self._asked_at = self._loop.time()
        if reply.delay_s > 0:
            self._in_flight.enter()
            self._timer = self._loop.call_later(reply.delay_s, self._send_late, reply, keep_alive)
        else:
            self._send(reply, keep_alive)

    def _send_late(self, reply: Reply, keep_alive: bool) -> None:
        self._timer = None
        self._in_flight.leave()
        self._send(reply, keep_alive)
        self._advance()

    def _send(self, reply: Reply, keep_alive: bool) -> None:
        if reply.reset:
            self._reset()
            return
        if reply.pieces is not None:
            self._in_flight.enter()
            self._pieces = reply.pieces()
            self._send_pieces(self._pieces)
            return
        self._transport.write(reply.encode(keep_alive))
        if not keep_alive:
            self._buffer = b""
            self._transport.close()

    def _send_pieces(self, pieces: Iterator[Piece]) -> None:
        """Sends what is left of them, until a pause or a full socket interrupts."""
        self._timer = None
        while self._writable and self._pieces is not None:
            piece = next(pieces, None)
            if piece is None:
                self._pieces, self._buffer = None, b""
                self._in_flight.leave()
                self._transport.close()
                return
            self._transport.write(piece.data)
            if piece.pause_s:
                self._timer = self._loop.call_later(piece.pause_s, self._send_pieces, pieces)
                return

    def _reset(self) -> None:
        """Drops the connection so that the client sees a reset and not an orderly end."""
        self._buffer = b""
        client = self._transport.get_extra_info("socket")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()
