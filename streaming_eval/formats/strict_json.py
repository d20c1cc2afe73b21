"""Bytes to one JSON object, or the exact reason why not.

RFC 8259 and nothing beside it. What lenient parsers let pass (a second document, duplicate keys,
NaN, numbers beyond binary64, lone surrogates, replaced bytes) lets two readers see two records.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from streaming_eval.formats.encoding import decoded
from streaming_eval.formats.limits import MAX_DEPTH, MAX_KEY_CHARS, MAX_KEYS, MAX_NUMBER_CHARS
from streaming_eval.formats.reasons import DeadLetterReason as Reason
from streaming_eval.formats.reasons import rejected

_WHITE_SPACE = " \t\n\r"
_BRACKET_OR_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)
_CUT_OFF = re.compile(  # what an unfinished literal, number or escape leaves at the end
    r"t|tr|tru|f|fa|fal|fals|n|nu|nul|-|\.|[eE][+-]?|u[0-9A-Fa-f]{0,4}"
)


def read_object(value: bytes | None, max_bytes: int) -> dict[str, object]:
    """The object that a Kafka value is.

    Args:
        value: the record's value as it lies in the topic.
        max_bytes: its greatest allowed size.

    Raises:
        RecordError: with one of the reasons and a message that quotes nothing of the record.
    """
    text = decoded(value, max_bytes)
    _check_depth(text)
    try:
        document, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip(_WHITE_SPACE)))
    except json.JSONDecodeError as error:
        raise rejected(_diagnosis(error, text), f"no JSON at character {error.pos}") from None
    if text[end:].strip(_WHITE_SPACE):
        raise rejected(Reason.TRAILING_DATA, f"something follows the document at character {end}")
    if type(document) is not dict:
        raise rejected(Reason.NOT_AN_OBJECT, "the document is JSON but not an object")
    if "\\ud" in text or "\\uD" in text:
        _check_surrogates(document)
    return document


def _check_depth(text: str) -> None:
    # Strings hold brackets too, so the exact and slower count is needed only beyond this one.
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(text):
        first = text[token.start()]
        if first != '"':
            depth += 1 if first in "[{" else -1
            if depth > MAX_DEPTH:
                raise rejected(Reason.TOO_DEEP, f"more than {MAX_DEPTH} levels")


def _diagnosis(error: json.JSONDecodeError, text: str) -> Reason:
    rest = text[error.pos :].rstrip(_WHITE_SPACE)
    if error.msg.startswith("Invalid control character") or (rest and rest[0] < " "):
        return Reason.CONTROL_CHARACTER
    unfinished = error.msg.startswith("Unterminated string") or _CUT_OFF.fullmatch(rest)
    return Reason.TRUNCATED_JSON if unfinished or not rest else Reason.MALFORMED_JSON


def _check_surrogates(document: dict[str, object]) -> None:
    """Bytes that are UTF-8 can hold a lone surrogate only as an escape."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise rejected(Reason.LONE_SURROGATE, "half of a UTF-16 pair is escaped alone") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise rejected(Reason.DUPLICATE_KEY, "an object has one key twice")
    if len(pairs) > MAX_KEYS:
        raise rejected(Reason.TOO_MANY_KEYS, f"{len(pairs)} keys in an object, over {MAX_KEYS}")
    if fields and max(map(len, fields)) > MAX_KEY_CHARS:
        raise rejected(Reason.KEY_TOO_LONG, f"a key has over {MAX_KEY_CHARS} characters")
    return fields


def _whole(digits: str) -> int:
    if len(digits) > MAX_NUMBER_CHARS:
        raise rejected(Reason.NUMBER_OVERFLOW, f"a number has {len(digits)} digits")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise rejected(Reason.NUMBER_OVERFLOW, "a number is beyond binary64")
    return number


def _constant(name: str) -> NoReturn:
    raise rejected(Reason.NON_FINITE_NUMBER, f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_real, parse_constant=_constant
)
