"""Kafka bytes to text: what is no UTF-8 text at all is told apart here."""

from __future__ import annotations

from streaming_eval.formats.reasons import DeadLetterReason as Reason
from streaming_eval.formats.reasons import rejected

_STARTS = {
    b"\x1f\x8b": (Reason.COMPRESSED, "the value is gzip; let Kafka compress instead"),
    b"\x28\xb5\x2f\xfd": (Reason.COMPRESSED, "the value is zstd; let Kafka compress instead"),
    b"\xef\xbb\xbf": (Reason.BYTE_ORDER_MARK, "the value begins with a byte order mark"),
    b"\xff\xfe": (Reason.UTF_16, "the value is UTF-16 or UTF-32"),
    b"\xfe\xff": (Reason.UTF_16, "the value is UTF-16 or UTF-32"),
    b"{\x00": (Reason.UTF_16, "the value is UTF-16 or UTF-32"),
    b"\x00{": (Reason.UTF_16, "the value is UTF-16 or UTF-32"),
    b"\x00\x00\x00{": (Reason.UTF_16, "the value is UTF-16 or UTF-32"),
}


def decoded(value: bytes | None, max_bytes: int) -> str:
    """The text of a Kafka value.

    Raises:
        RecordError: there is none, or it is too large or not UTF-8.
    """
    if value is None:
        raise rejected(Reason.TOMBSTONE, "the value is null")
    if len(value) > max_bytes:
        raise rejected(Reason.RECORD_TOO_LARGE, f"{len(value)} bytes, over {max_bytes}")
    if not value.startswith(b"{") or value.startswith(b"{\x00"):
        _check_start(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        cut_off = error.reason == "unexpected end of data"
        reason = Reason.TRUNCATED_JSON if cut_off else Reason.INVALID_UTF8
        raise rejected(reason, f"byte {error.start} is not UTF-8") from None


def _check_start(value: bytes) -> None:
    if not value:
        raise rejected(Reason.EMPTY, "the value has no bytes")
    if not value.strip(b" \t\n\r"):
        raise rejected(Reason.BLANK, "the value is white space")
    for start, (reason, message) in _STARTS.items():
        if value.startswith(start):
            raise rejected(reason, message)
