"""HTTP/1.1 as far as a small API server needs it (Fielding et al. 2022, RFC 9112): pure parsing.

Bodies come with a Content-Length; chunked request bodies are refused with 411.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus

MAX_HEAD_BYTES = 16_384
MAX_BODY_BYTES = 4_194_304
OVERLOADED = 529
"""A status that no RFC defines; Anthropic answers it."""

_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.([01])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)


class BadRequest(Exception):  # noqa: N818 - named after the answer it gets
    """The bytes are no request we serve; the connection ends after the answer `status`."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body.

    Attributes:
        headers: by lower-case name; of a repeated header, the values joined by a comma.
        body_bytes: length of the body that follows.
        keep_alive: whether the client will use the connection again.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body_bytes: int
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes as they go over the wire, and the seconds to wait after them."""

    data: bytes
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back.

    Attributes:
        delay_s: time to wait before sending, from the arrival of the request.
        reset: drop the connection instead of sending anything.
        pieces: sent in place of all else, however wrong; then the connection ends.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    reset: bool = False
    pieces: Callable[[], Iterator[Piece]] | None = None

    def encode(self, keep_alive: bool) -> bytes:
        """The bytes on the wire."""
        lines = [
            _STATUS_LINES[self.status],
            f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n",
            *(f"{name}: {value}\r\n" for name, value in self.headers.items()),
            "\r\n" if keep_alive else "Connection: close\r\n\r\n",
        ]
        return "".join(lines).encode("latin-1") + self.body


_STATUS_LINES: Mapping[int, str] = {
    OVERLOADED: f"HTTP/1.1 {OVERLOADED} Overloaded\r\n",
    **{s: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus},
}


def read_head(buffer: bytes) -> tuple[Head, int] | None:
    """The head at the start of the buffer and its length in bytes; None while it is incomplete.

    Raises:
        BadRequest: it is malformed, too long, or announces a body we do not take.
    """
    end = buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
    if end >= 0:
        return parse_head(buffer[:end]), end + 4
    if len(buffer) >= MAX_HEAD_BYTES:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too long")
    return None


@lru_cache(maxsize=2_048)  # clients repeat their heads; only Content-Length varies
def parse_head(head: bytes) -> Head:
    """The head in these bytes, given without the empty line that ends it.

    Raises:
        BadRequest: see `read_head`.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    request = _REQUEST_LINE.fullmatch(first)
    if request is None:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed request line")
    method, target, minor = request.groups()
    headers = _headers(lines)
    if minor == "1" and "host" not in headers:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "HTTP/1.1 needs a Host header")
    return Head(
        method=method,
        path=target.partition("?")[0],
        headers=headers,
        body_bytes=_body_bytes(headers),
        keep_alive=_keep_alive(headers, minor),
    )


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed header line")
        name, value = match[1].lower(), match[2]
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _body_bytes(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequest(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length, not a chunked body")
    length = headers.get("content-length", "0")
    if not _LENGTH.fullmatch(length):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed Content-Length")
    if int(length) > MAX_BODY_BYTES:
        message = f"the body may have {MAX_BODY_BYTES} bytes"
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    return int(length)


def _keep_alive(headers: Mapping[str, str], minor: str) -> bool:
    options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
    return "close" not in options and (minor == "1" or "keep-alive" in options)
