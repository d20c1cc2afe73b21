"""One field of a record, with its type checked; `null` means that the field is absent."""

from __future__ import annotations

from collections.abc import Mapping

from streaming_eval.errors import RecordError
from streaming_eval.formats.limits import MAX_NAME_CHARS
from streaming_eval.formats.reasons import DeadLetterReason as Reason
from streaming_eval.formats.reasons import rejected

Fields = Mapping[str, object]


def required_text(fields: Fields, name: str) -> str:
    """A text that must be there and must not be blank."""
    text = optional_text(fields, name)
    if text is None:
        raise rejected(Reason.MISSING_FIELD, f"field `{name}` is missing")
    if not text or text.isspace():
        raise rejected(Reason.EMPTY_FIELD, f"field `{name}` is empty")
    return text


def required_name(fields: Fields, name: str) -> str:
    """A `required_text` of bounded length."""
    return _bounded(required_text(fields, name), name)


def optional_name(fields: Fields, name: str) -> str | None:
    """A text of bounded length; an empty one counts as absent."""
    text = optional_text(fields, name)
    return _bounded(text, name) if text else None


def optional_text(fields: Fields, name: str) -> str | None:
    """A text of any length, also an empty one."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise wrong_type(name, "a string")


def optional_number(fields: Fields, name: str) -> float | None:
    """A finite number."""
    value = fields.get(name)
    if value is None:
        return None
    if type(value) is not int and type(value) is not float:
        raise wrong_type(name, "a number")
    return float(value)


def optional_list(fields: Fields, name: str) -> list[object] | None:
    """An array."""
    value = fields.get(name)
    if value is None or isinstance(value, list):
        return value
    raise wrong_type(name, "an array")


def optional_object(fields: Fields, name: str) -> dict[str, object] | None:
    """An object."""
    value = fields.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise wrong_type(name, "an object")


def wrong_type(name: str, wanted: str) -> RecordError:
    """The error for a field of another type than wanted."""
    return rejected(Reason.WRONG_TYPE, f"field `{name}` must be {wanted}")


def _bounded(text: str, name: str) -> str:
    if len(text) > MAX_NAME_CHARS:
        raise rejected(
            Reason.FIELD_TOO_LONG, f"field `{name}`: {len(text)} characters, over {MAX_NAME_CHARS}"
        )
    return text
