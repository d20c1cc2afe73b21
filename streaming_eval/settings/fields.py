"""The kinds of value a setting may be, and how several of them can contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

Path = tuple[str | int, ...]

_UNIT_MS = {
    "y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000,
    "m": 60_000, "s": 1_000, "ms": 1,
}  # fmt: skip
_LONGEST_MS = 100 * _UNIT_MS["y"]
_DURATION_PART = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")
DURATION_PATTERN = r"^(\d+(ms|s|m|h|d|w|y))+$"
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$"
_SECRET = re.compile(
    r"(?i)passw|secret|credential|api.?key|jaas|authori[sz]ation|private.?key|key.?pem|token$"
)
_REFERENCE = re.compile(r"(env|file):.+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: where, what, and what would be right."""

    path: Path
    message: str
    allowed: str = ""


class InconsistentError(ValueError):
    """Values that are fine alone contradict each other; carries every contradiction found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{dotted(p.path)}: {p.message}" for p in problems))
        self.problems = problems


class Section(BaseModel):
    """A frozen part of the configuration in which unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def dotted(path: Path) -> str:
    """The path as people write it: `scorers.0.name`."""
    return ".".join(str(part) for part in path)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint to append when a word is close to one or two that are known, else nothing.

    >>> did_you_mean("alhpa", ["alpha", "pane"])
    ', did you mean alpha?'
    """
    close = get_close_matches(word, list(known), n=2)
    return f", did you mean {' or '.join(close)}?" if close else ""


def milliseconds(text: str) -> int:
    """Milliseconds of a well-formed Prometheus duration.

    >>> milliseconds("1h30m")
    5400000
    """
    return sum(int(n) * _UNIT_MS[unit] for n, unit in _DURATION_PART.findall(text))


def duration_ms(text: object) -> object:
    """Milliseconds of a duration written with its unit; every other string or number is refused."""
    if isinstance(text, int | float) or (
        isinstance(text, str) and not re.fullmatch(DURATION_PATTERN, text)
    ):
        raise ValueError("a duration such as 30s, 5m or 24h is needed")
    return milliseconds(text) if isinstance(text, str) else text


def duration_text(duration: int) -> str:
    """The duration in the fewest units, the inverse of `milliseconds`.

    >>> duration_text(5_400_000), duration_text(0)
    ('1h30m', '0s')
    """
    parts = []
    for unit, size in _UNIT_MS.items():
        count, duration = divmod(duration, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def looks_secret(key: str) -> bool:
    """Whether a key is one whose value must not be written or shown.

    >>> looks_secret("sasl.password"), looks_secret("max_tokens"), looks_secret("api_key_env")
    (True, False, False)
    """
    return bool(_SECRET.search(key)) and not key.endswith(("_env", "_file", ".location"))


def literal_secrets(values: Mapping[str, object], *, referable: bool) -> Iterator[Problem]:
    """A problem for each secret that stands in the configuration itself.

    Args:
        values: free keys, to any depth.
        referable: whether `env:NAME` and `file:PATH` are resolved here.
    """
    allowed = "env:NAME or file:PATH" if referable else "no secrets; keys belong to `endpoints`"
    for key, value in values.items():
        if isinstance(value, Mapping):
            for inner in literal_secrets(value, referable=referable):
                yield Problem((key, *inner.path), inner.message, inner.allowed)
        elif looks_secret(key) and not (referable and _REFERENCE.fullmatch(str(value))):
            yield Problem((key,), "a secret stands in the configuration", allowed)


DurationMs = Annotated[
    int,
    BeforeValidator(duration_ms),
    Field(gt=0, le=_LONGEST_MS),
    PlainSerializer(duration_text, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": DURATION_PATTERN,
            "x-allowed": "a duration above zero with its unit, such as 30s, 5m or 24h",
        }
    ),
]
DelayMs = Annotated[
    int,
    BeforeValidator(duration_ms),
    Field(ge=0, le=_LONGEST_MS),
    PlainSerializer(duration_text, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": DURATION_PATTERN,
            "x-allowed": "a duration with its unit, such as 0s, 12h or 3d",
        }
    ),
]
HeaderName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        json_schema_extra={"x-allowed": "a header's name, such as api-key"},
    ),
]
Name = Annotated[
    str,
    Field(
        pattern=_NAME_PATTERN,
        json_schema_extra={
            "x-allowed": "a name of letters, digits and . _ : / - (at most 128, the first a letter "
            "or digit)"
        },
    ),
]
Topic = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        json_schema_extra={"x-allowed": "a topic name of 1 to 249 letters, digits and . _ -"},
    ),
]
EnvironmentName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        json_schema_extra={"x-allowed": "the name of an environment variable, not the secret"},
    ),
]
