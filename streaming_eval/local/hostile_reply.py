"""Replies that no API means to send, as bytes on the wire: they stall, never end, or lie."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import repeat
from types import MappingProxyType

from streaming_eval.local.behaviour import Fault
from streaming_eval.local.http_message import Piece

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_HUGE_BYTES = 100_000_000
_PIECE_BYTES = 50_000
_INFLATED_MB = 512
_FOREVER_S = 86_400.0
_LORIS_S = 1.0

Pieces = Callable[[], Iterator[Piece]]


def _nothing() -> Iterator[Piece]:
    yield Piece(b"", _FOREVER_S)


def _slow_loris() -> Iterator[Piece]:
    yield Piece(_OK + b"Content-Length: 100000\r\n\r\n")
    yield from repeat(Piece(b" ", _LORIS_S))


def _not_http() -> Iterator[Piece]:
    yield Piece(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def _huge() -> Iterator[Piece]:
    yield Piece(_OK + b"Content-Length: %d\r\n\r\n" % _HUGE_BYTES)
    yield from repeat(Piece(b" " * _PIECE_BYTES), _HUGE_BYTES // _PIECE_BYTES)


def _endless() -> Iterator[Piece]:
    chunk = Piece(b"%x\r\n%b\r\n" % (_PIECE_BYTES, b" " * _PIECE_BYTES))
    yield Piece(_CHUNKED)
    yield from repeat(chunk, _HUGE_BYTES // _PIECE_BYTES)
    yield Piece(b"0\r\n\r\n")


def _bomb() -> Iterator[Piece]:
    body = _bomb_body()
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    yield Piece(_OK + b"Content-Encoding: gzip\r\n" + length + body)


@cache
def _bomb_body() -> bytes:
    """Gzip members follow one another (Deutsch 1996, RFC 1952, section 2.2), so one is enough."""
    return gzip.compress(bytes(1_000_000)) * _INFLATED_MB


def _bad_chunking() -> Iterator[Piece]:
    yield Piece(_CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n")


HOSTILE: Mapping[Fault, Pieces] = MappingProxyType(
    {
        Fault.NO_ANSWER: _nothing,
        Fault.SLOW_LORIS: _slow_loris,
        Fault.NOT_HTTP: _not_http,
        Fault.HUGE_BODY: _huge,
        Fault.ENDLESS_BODY: _endless,
        Fault.GZIP_BOMB: _bomb,
        Fault.BAD_CHUNKING: _bad_chunking,
    }
)
