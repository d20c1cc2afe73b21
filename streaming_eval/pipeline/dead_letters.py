"""Dead letters on their way to Kafka."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from streaming_eval.adapters.kafka import DeadLetterProducer
from streaming_eval.records import DeadLetter, KafkaRecord


def publish_dead_letters(producer: DeadLetterProducer, letters: pa.Table) -> None:
    """Sends a batch's dead letters to their topic and waits for the acknowledgement."""
    if letters.num_rows:
        producer.publish([_letter(row) for row in letters.to_pylist()])


def _letter(row: dict[str, Any]) -> DeadLetter:
    record = KafkaRecord(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        timestamp_ms=round(row["kafka_time"].timestamp() * 1_000),
        key=row["key"],
        value=row["value"],
    )
    return DeadLetter(record, row["reason"], row["message"])
