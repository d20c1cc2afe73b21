"""What a fault run puts into a topic, and what lies there afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from streaming_eval.local.questions import load_questions
from streaming_eval.local.sample_replay import SampleReplay, TopicRecord

EPOCH_MS = 1_748_736_000_000  # 2025-06-01T00:00:00Z, on the grid of every pane and window
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Lying:
    """A record as it lies in a topic; header names are without their common prefix."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


def replayed(
    count: int, run_id: str, *, seed: int, step_ms: int, swap: bool, start_ms: int = EPOCH_MS
) -> list[TopicRecord]:
    """Samples with event times of their own, `step_ms` apart and in order.

    Args:
        count: how many.
        run_id: start of their ids, see `sample_id`.
        seed: of the draw.
        step_ms: event time between two samples.
        swap: whether production changes its model half-way.
        start_ms: event time of the first.
    """

    def now_ms() -> int:
        return start_ms + replay.made * step_ms

    replay = SampleReplay(
        load_questions(),
        run_id=run_id,
        seed=seed,
        swap_after=count // 2 if swap else None,
        clock_ms=now_ms,
    )
    return [replay.next() for _ in range(count)]


def sample_ids(records: Sequence[TopicRecord]) -> list[str]:
    """The ids of replayed samples, which are their keys."""
    return [(record.key or b"").decode() for record in records]


def lying_in(bootstrap_servers: str, topic: str) -> list[Lying]:
    """Everything in a topic, from its beginning to its present end."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "streaming-eval-fault-runs",
            "enable.auto.commit": False,
            "fetch.message.max.bytes": 16_777_216,
        }
    )
    try:
        partitions = consumer.list_topics(topic, _TIMEOUT_S).topics[topic].partitions
        return [record for p in partitions for record in _partition(consumer, topic, p)]
    finally:
        consumer.close()


def _partition(consumer: Consumer, topic: str, partition: int) -> Iterator[Lying]:
    place = TopicPartition(topic, partition, 0)
    _, end = consumer.get_watermark_offsets(place, _TIMEOUT_S)
    consumer.assign([place])
    at = 0
    while at < end:
        message = consumer.poll(_TIMEOUT_S)
        if message is None:
            raise TimeoutError(f"{topic}-{partition} gave nothing at offset {at} of {end}")
        if message.error() is not None:
            raise KafkaException(message.error())
        at = (message.offset() or 0) + 1
        headers = {name.rpartition(".")[2]: _bytes(v) for name, v in _headers(message)}
        yield Lying(partition, at - 1, message.key(), message.value(), headers)


def _headers(message: Message) -> list[tuple[str, str | bytes | None]]:
    return list(cast(Iterable[tuple[str, str | bytes | None]], message.headers() or ()))


def _bytes(value: str | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else (value or "").encode()
