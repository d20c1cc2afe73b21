"""Where samples come from, what a sample may be, and where everything is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from streaming_eval.settings.fields import (
    DurationMs,
    InconsistentError,
    Problem,
    Section,
    Topic,
    literal_secrets,
    milliseconds,
)


class KafkaSettings(Section):
    """Where samples come from and where rejected records go."""

    bootstrap_servers: str = Field(
        default="localhost:9092",
        pattern=r"^[^\s,]+(,[^\s,]+)*$",
        description="brokers; `KAFKA_BOOTSTRAP_SERVERS` replaces the default",
        json_schema_extra={"x-allowed": "host:port, several separated by commas without spaces"},
    )
    topic: Topic = Field(default="llm.samples.v1", description="topic that holds the samples")
    dead_letter_topic: Topic = Field(
        default="llm.samples.v1.dlq",
        description="topic that takes the records that are not samples",
    )
    starting_offsets: Literal["earliest", "latest"] = Field(
        default="earliest", description="where a job without a checkpoint begins"
    )
    max_records_per_trigger: int = Field(
        default=8_000, ge=1, description="records per batch at most"
    )
    security: Mapping[str, str] = Field(
        default={},
        description="librdkafka security properties; a secret is named as `env:NAME` or "
        "`file:PATH`, and only then resolved",
    )

    @model_validator(mode="after")
    def _nothing_leaks_or_loops(self) -> Self:
        problems = [
            Problem(("security", *found.path), found.message, found.allowed)
            for found in literal_secrets(self.security, referable=True)
        ]
        if self.topic == self.dead_letter_topic:
            wrong = "is the topic that samples are read from"
            problems.append(Problem(("dead_letter_topic",), wrong, "another topic than `topic`"))
        if problems:
            raise InconsistentError(*problems)
        return self


class StorageSettings(Section):
    """Where the Delta tables, the checkpoints and the spool lie."""

    root: Path = Field(
        default=Path("streaming-eval-state"),
        description="directory of all state; relative to where the program is started",
    )
    responses: Path | None = Field(
        default=None,
        description="the table of paid answers, where several jobs on this machine share one; "
        "`root/tables/responses` when absent",
    )


class LimitSettings(Section):
    """What a record may be; one over a limit is a dead letter."""

    max_record_bytes: int = Field(default=1_048_576, ge=1_024, description="size of a Kafka value")
    max_segments: int = Field(default=32, ge=0, description="segments in one sample")
    max_segment_chars: int = Field(
        default=256, ge=1, description="length of a segment's name or value"
    )
    max_messages: int = Field(default=512, ge=1, description="messages in one conversation")
    allowed_clock_skew: DurationMs = Field(
        default=milliseconds("5m"), description="how far in the future an event time may lie"
    )
    deduplication_horizon: DurationMs = Field(
        default=milliseconds("1h"), description="how long the id of a sample is remembered"
    )
