"""The nouns that travel through the pipeline: frozen, typed, free of behaviour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

ALL_SEGMENTS = "__all__"
SEGMENT_MIX = "segment_mix"
"""Stands where a scorer's name does, for how samples spread over the values of a segment."""
OTHER = "__other__"
JUDGE = "__judge__"
"""Stands where a model's name does, in scores of a judge itself."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, as chat APIs take it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; None where the API did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One production query, with the response the user saw where there was one.

    Attributes:
        id: unique per sample; a repeat within the de-duplication horizon is dropped.
        event_time_ms: when it happened, epoch milliseconds, as the record says.
        model: what production calls the model that answered.
        messages: the conversation sent; a bare `prompt` is one user message.
        targets: acceptable answers, empty when unknown.
        segments: attribute name to value, unbounded as received.
        sampling_fraction: inclusion probability upstream, in (0, 1].
        latency_ms: of the production response, where known.
    """

    id: str
    event_time_ms: int
    model: str
    messages: tuple[Message, ...]
    response: str | None = None
    targets: tuple[str, ...] = ()
    context: str | None = None
    segments: Mapping[str, str] = field(default_factory=dict)
    conversation_id: str | None = None
    trace_id: str | None = None
    sampling_fraction: float = 1.0
    latency_ms: float | None = None
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Anchor:
    """A sample with a response that people have graded: what a judge is held against.

    Attributes:
        sample: id, conversation, context and targets; nothing else in it counts.
        response: the text that was graded.
        grade: the people's grade, on the judge's scale.
    """

    sample: Sample
    response: str
    grade: int


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """One record as it lies in the topic; `key` and `value` are untouched bytes."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that cannot be a sample: its original bytes and why."""

    record: KafkaRecord
    reason: str
    message: str


class _Addressed:
    """Room for the content address, which `cache_key` computes once; no field, and not compared."""

    __slots__ = ("address",)
    address: tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Request(_Addressed):
    """One model call: everything that can change its answer, and nothing else.

    Attributes:
        endpoint: the endpoint's identity (its base URL), not its name in the configuration.
        api: wire format, e.g. `openai_chat`.
        model: as the API calls it.
        revision: operator's tag for the model's version; empty when not pinned.
        messages: the full list, system prompt included.
        parameters: sampling parameters, response format, stop sequences; JSON values only.
        sample_index: which of several draws this is when the answer is random (0 otherwise).
    """

    endpoint: str
    api: str
    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)
    revision: str = ""
    sample_index: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request, or why there is none: exactly one of `text`, `error` is set.

    Attributes:
        error: bounded snake-case reason of the failure (`http_400`, `deadline`, ...).
        error_detail: for people; holds no credential.
        latency_ms: of the successful attempt, from sending to the last byte.
        created_ms: when the answer arrived, epoch milliseconds.
        attempts: HTTP requests made for it, 0 for a production response.
        cached: True when no request was made this time.
        cost: of the answer when it was paid for, in the currency of the price table; None where its
            tokens or their price are not known, or nobody asked for it.
    """

    text: str | None
    error: str | None = None
    error_detail: str | None = None
    finish_reason: str | None = None
    usage: Usage = Usage()
    latency_ms: float | None = None
    created_ms: int = 0
    attempts: int = 0
    cached: bool = False
    cost: float | None = None


class ScoreStatus(StrEnum):
    """What became of one score. Only `ok` has a value; the others are missing data, never 0."""

    OK = "ok"
    FAILED = "failed"
    UNPARSABLE = "unparsable"


@dataclass(frozen=True, slots=True)
class Score:
    """What one scorer said of one response, on the scorer's declared scale."""

    value: float | None
    status: ScoreStatus = ScoreStatus.OK
    error: str | None = None
    explanation: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """What one stream of scores measures: the unit of windows, intervals and alerts.

    `against` is empty for a model's own scores; for a paired series it names the model whose score
    on the same sample is subtracted.
    """

    model: str
    segment: str
    scorer: str
    evaluation_version: str
    against: str = ""

    def __str__(self) -> str:
        parts = (self.model, self.segment, self.scorer, self.evaluation_version, self.against)
        return "|".join(part.replace("\\", "\\\\").replace("|", "\\p") for part in parts)

    @classmethod
    def parse(cls, text: str) -> SeriesKey:
        r"""The inverse of `str`.

        >>> key = SeriesKey("a|b", "tier=pro", "contains", "0f3a", "\\p")
        >>> SeriesKey.parse(str(key)) == key
        True
        """
        return cls(*(_ESCAPE.sub(_unescape, part) for part in text.split("|")))


_ESCAPE = re.compile(r"\\(.)")


def _unescape(match: re.Match[str]) -> str:
    return "|" if match[1] == "p" else match[1]
