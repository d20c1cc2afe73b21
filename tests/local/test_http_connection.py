"""HTTP as raw bytes on a socket, against the real server process."""

import json
import socket
from collections.abc import Iterator

import pytest

from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.http_message import MAX_BODY_BYTES


@pytest.fixture
def client(shared_endpoint: RecordedEndpoint) -> Iterator[socket.socket]:
    assert shared_endpoint.port is not None
    with socket.create_connection(("127.0.0.1", shared_endpoint.port), timeout=10) as client:
        yield client


def _post(body: bytes, path: str = "/v1/chat/completions", headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def _read_replies(client: socket.socket, count: int) -> list[tuple[int, bytes]]:
    file = client.makefile("rb")
    replies = []
    for _ in range(count):
        status = int(file.readline().split()[1])
        length = 0
        while (line := file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        replies.append((status, file.read(length)))
    return replies


def _read_to_the_end(client: socket.socket) -> bytes:
    parts = iter(lambda: client.recv(65_536), b"")
    return b"".join(parts)


def test_pipelined_requests_are_answered_in_order(client: socket.socket) -> None:
    bodies = [json.dumps({"model": f"m{n}", "messages": [1]}).encode() for n in range(50)]
    stats = b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\n"
    client.sendall(b"".join(_post(body) for body in bodies) + stats)
    replies = _read_replies(client, 51)
    assert [status for status, _ in replies] == [400] * 50 + [200]


def test_a_request_may_arrive_byte_by_byte(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in _post(b"{}"):
        client.send(bytes([byte]))
    [(status, body)] = _read_replies(client, 1)
    assert status == 400
    assert b"'model' must be" in body


def test_a_withheld_body_is_asked_for(client: socket.socket) -> None:
    request = _post(b"{}", headers="Expect: 100-continue\r\n")
    client.sendall(request[:-2])
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(request[-2:])
    assert _read_replies(client, 1)[0][0] == 400


def test_after_connection_close_the_server_hangs_up(client: socket.socket) -> None:
    client.sendall(_post(b"{}", headers="Connection: close\r\n") * 2)
    answer = _read_to_the_end(client)
    assert answer.count(b"HTTP/1.1 400") == 1
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000, 431),
    ],
)
def test_a_bad_request_gets_its_status_and_the_connection_ends(
    client: socket.socket, request_bytes: bytes | str, status: int
) -> None:
    data = request_bytes.encode() if isinstance(request_bytes, str) else request_bytes
    client.sendall(data)
    assert _read_to_the_end(client).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_large_body_within_the_limit_is_taken(client: socket.socket) -> None:
    client.sendall(_post(b"[" + b" " * (MAX_BODY_BYTES - 2) + b"]"))
    assert _read_replies(client, 1)[0][0] == 400


def test_a_client_that_never_reads_does_not_stop_the_others(
    client: socket.socket, shared_endpoint: RecordedEndpoint
) -> None:
    client.setblocking(False)
    wanted = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n" * 2_000
    with pytest.raises(BlockingIOError):
        for _ in range(1_000):
            client.sendall(wanted)
    assert shared_endpoint.control() == Behaviour()
