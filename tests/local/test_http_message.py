import pytest

from streaming_eval.local.http_message import MAX_BODY_BYTES, BadRequest, read_head

GOOD = "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n"


def _read(text: str) -> object:
    return read_head(text.encode("latin-1"))


def test_a_head_is_read_with_its_length() -> None:
    found = read_head(f"{GOOD}X-Two: a\r\nx-two: b\r\n\r\nbody".encode())
    assert found is not None
    head, length = found
    assert (head.method, head.path, head.body_bytes) == ("POST", "/v1/chat/completions", 12)
    assert head.headers["x-two"] == "a, b"
    assert length == len(GOOD) + len("X-Two: a\r\nx-two: b\r\n\r\n")


@pytest.mark.parametrize("cut", [1, 20, len(GOOD), len(GOOD) + 1])
def test_an_incomplete_head_is_waited_for(cut: int) -> None:
    assert _read(f"{GOOD}\r\n"[:cut]) is None


@pytest.mark.parametrize(
    ("first", "connection", "kept"),
    [
        ("GET / HTTP/1.1", "", True),
        ("GET / HTTP/1.1", "Connection: Close\r\n", False),
        ("GET / HTTP/1.1", "Connection: x, close\r\n", False),
        ("GET / HTTP/1.0", "", False),
        ("GET / HTTP/1.0", "Connection: keep-alive\r\n", True),
    ],
)
def test_a_connection_is_kept_as_the_client_wishes(first: str, connection: str, kept: bool) -> None:
    found = read_head(f"{first}\r\nHost: a\r\n{connection}\r\n".encode())
    assert found is not None
    assert found[0].keep_alive is kept


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nHost: " + "a" * 20_000, 431),
    ],
)
def test_what_is_no_proper_request_is_refused(text: str, status: int) -> None:
    with pytest.raises(BadRequest) as refusal:
        _read(text)
    assert refusal.value.status == status
