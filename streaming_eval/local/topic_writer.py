"""Writes records to a Kafka topic with full acknowledgement and without duplicates."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from confluent_kafka import KafkaError, Message, Producer

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.sample_replay import TopicRecord

_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())  # else librdkafka's warnings go to standard error
_LARGEST_RECORD_BYTES = 16_777_216  # above any limit of ours: hostile records must get through
_QUEUED_RECORDS = 100_000
_PATIENCE_S = 30.0
_FULL_QUEUE_WAIT_S = 0.1
_POLL_EVERY = 256


class TopicWriter:
    """An idempotent producer with acks=all; safe to share between threads.

    Args:
        bootstrap_servers: the brokers, `host:port` with commas between.
        topic: must exist; it is never created from here.
        patience_s: how long `flush` waits for acknowledgements.
    """

    def __init__(
        self, bootstrap_servers: str, topic: str, *, patience_s: float = _PATIENCE_S
    ) -> None:
        self._topic = topic
        self._patience_s = patience_s
        self._kafka = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "client.id": "streaming-eval-producer",
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "allow.auto.create.topics": False,
                "message.max.bytes": _LARGEST_RECORD_BYTES,
                "queue.buffering.max.messages": _QUEUED_RECORDS,
            },
            logger=_LOG,
        )
        self._lock = threading.Lock()
        self._acknowledged = 0
        self._written = 0
        self._refusal: KafkaError | None = None

    @property
    def acknowledged(self) -> int:
        """Records that the broker has confirmed."""
        return self._acknowledged

    def write(self, record: TopicRecord) -> None:
        """Queues one record, byte for byte; waits while the queue is full."""
        while True:
            try:
                self._kafka.produce(
                    self._topic, key=record.key, value=record.value, on_delivery=self._delivered
                )
                break
            except BufferError:
                self._kafka.poll(_FULL_QUEUE_WAIT_S)
        self._written += 1
        if self._written % _POLL_EVERY == 0:
            self.collect()

    def write_all(self, records: Iterable[TopicRecord]) -> int:
        """Queues the records, waits for their acknowledgement and tells how many there were."""
        count = 0
        for record in records:
            self.write(record)
            count += 1
        self.flush()
        return count

    def collect(self) -> None:
        """Takes in the acknowledgements that have arrived."""
        self._kafka.poll(0)

    def flush(self) -> None:
        """Waits until everything queued is acknowledged.

        Raises:
            EnvironmentProblem: the broker refused a record or did not answer in time.
        """
        waiting = self._kafka.flush(self._patience_s)
        if self._refusal is not None:
            raise EnvironmentProblem(f"Kafka refused a record for {self._topic}: {self._refusal}")
        if waiting:
            raise EnvironmentProblem(
                f"Kafka did not acknowledge {waiting} records within {self._patience_s:g} s"
            )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        with self._lock:
            if error is None:
                self._acknowledged += 1
            else:
                self._refusal = self._refusal or error
