"""Kafka beside Spark: dead letters go out, topics are made and measured."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streaming_eval.adapters.kafka_admin import KafkaAdmin
from streaming_eval.configuration.secrets import resolve
from streaming_eval.errors import EnvironmentProblem, SettingsError
from streaming_eval.records import DeadLetter

_LARGEST_MESSAGE_BYTES = 16_777_216  # what is larger is not even offered to the broker
_HEADER = "streaming_eval.error."
_BROKER_DEFAULT = -1  # leaves the replication factor to the cluster
_TIMEOUT_S = 30.0
_GRACE_S = 5.0
_FULL_QUEUE_WAIT_S = 0.1


def resolve_security(
    security: Mapping[str, str], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The librdkafka properties with their secrets in place of `env:NAME` and `file:PATH`.

    Raises:
        SettingsError: a secret is not there; names the property.
    """
    resolved = {}
    for key, text in security.items():
        try:
            resolved[key] = resolve(text, environ)
        except SettingsError as error:
            raise SettingsError(f"kafka.security.{key}: {error}") from None
    return resolved


def ensure_topic(
    bootstrap_servers: str,
    topic: str,
    partitions: int,
    security: Mapping[str, str] | None = None,
    *,
    timeout_s: float = _TIMEOUT_S,
) -> bool:
    """Makes the topic, with the cluster's own replication factor, unless it exists.

    Returns:
        Whether it was made.

    Raises:
        EnvironmentProblem: the cluster does not answer or refuses; names it.
    """
    admin = KafkaAdmin(bootstrap_servers, security)
    try:
        if topic in admin.partitions(timeout_s):
            return False
        return admin.create_topic(topic, partitions, replication_factor=_BROKER_DEFAULT)
    except KafkaException as error:
        raise _problem(bootstrap_servers, f"cannot make topic {topic}", error) from None


def end_offsets(
    bootstrap_servers: str,
    topic: str,
    security: Mapping[str, str] | None = None,
    *,
    timeout_s: float = _TIMEOUT_S,
) -> dict[int, int]:
    """Partition to the offset that its next record will get.

    Raises:
        EnvironmentProblem: the cluster does not answer or has no such topic; names both.
    """
    settings = {"group.id": "streaming-eval-offsets", "enable.auto.commit": False}
    consumer = Consumer(
        {**settings, **_connection(bootstrap_servers, security)}, logger=logging.getLogger(__name__)
    )
    try:
        found = consumer.list_topics(topic, timeout_s).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        offsets = {
            partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout_s)
            for partition in found.partitions
        }
    except KafkaException as error:
        what = f"cannot say where topic {topic} ends"
        raise _problem(bootstrap_servers, what, error) from None
    finally:
        consumer.close()
    return {partition: high for partition, (_, high) in offsets.items()}


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of the letters of one round; those in neither list were acknowledged."""

    too_large: list[DeadLetter] = field(default_factory=list)
    errors: list[KafkaError] = field(default_factory=list)

    def note(self, letter: DeadLetter, error: KafkaError | None) -> None:
        if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            self.too_large.append(letter)
        elif error is not None:
            self.errors.append(error)


class DeadLetterProducer:
    """Publishes rejected records: original key and bytes, the reason in headers.

    Supported: at least once; a caller that repeats a batch repeats messages, which their topic,
    partition and offset headers tell apart. A letter too large for the broker goes with an empty
    value and the header `streaming_eval.error.value_omitted`, its size in bytes.
    Not supported: use by several threads at once.

    Args:
        bootstrap_servers: the brokers, `host:port` with commas between.
        topic: must exist, see `ensure_topic`.
        security: resolved librdkafka properties.
        timeout_s: how long the broker may take to acknowledge.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        security: Mapping[str, str] | None = None,
        *,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._servers, self._topic, self._timeout_s = bootstrap_servers, topic, timeout_s
        self._producer = Producer(
            {
                "client.id": "streaming-eval-dead-letters",
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "allow.auto.create.topics": False,
                "message.max.bytes": _LARGEST_MESSAGE_BYTES,
                # Every letter has its verdict before `flush` gives up: none is delivered after
                # its failure was reported.
                "delivery.timeout.ms": round(timeout_s * 1_000),
                "topic.metadata.propagation.max.ms": round(timeout_s * 500),
                **_connection(bootstrap_servers, security),
            },
            logger=logging.getLogger(__name__),
        )

    def publish(self, letters: Iterable[DeadLetter]) -> None:
        """Returns when the broker has acknowledged every letter.

        Raises:
            EnvironmentProblem: it did not; names the broker and the topic.
        """
        refused = self._send(letters)
        # A broker refuses whole batches, so a letter may have been refused for its neighbour.
        too_large = [letter for letter in refused if self._send([letter])]
        if self._send(too_large, omit_value=True):
            raise _problem(self._servers, self._failure, "it takes not even the headers")

    def _send(self, letters: Iterable[DeadLetter], *, omit_value: bool = False) -> list[DeadLetter]:
        """Sends all, waits for their acknowledgement and returns those that were too large."""
        outcome = _Outcome()
        for letter in letters:
            self._queue(letter, omit_value, outcome.note)
        unanswered = self._producer.flush(self._timeout_s + _GRACE_S)
        if outcome.errors:
            raise _problem(self._servers, self._failure, outcome.errors[0])
        if unanswered:
            raise _problem(self._servers, self._failure, f"{unanswered} are not acknowledged")
        return outcome.too_large

    def _queue(
        self,
        letter: DeadLetter,
        omit_value: bool,
        note: Callable[[DeadLetter, KafkaError | None], None],
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value=b"" if omit_value else letter.record.value,
                    key=letter.record.key,
                    headers=_headers(letter, omit_value),
                    on_delivery=lambda error, _: note(letter, error),
                )
            except BufferError:
                self._producer.poll(_FULL_QUEUE_WAIT_S)
            except KafkaException as error:
                return note(letter, error.args[0])
            else:
                return None

    @property
    def _failure(self) -> str:
        return f"did not take the dead letters for topic {self._topic}"


def _headers(letter: DeadLetter, omit_value: bool) -> list[tuple[str, str | bytes | None]]:
    record = letter.record
    told: dict[str, object] = {
        "reason": letter.reason,
        "message": letter.message,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
    }
    if omit_value:
        told["value_omitted"] = len(record.value or b"")
    return [(_HEADER + name, str(value).encode()) for name, value in told.items()]


def _connection(servers: str, security: Mapping[str, str] | None) -> dict[str, str | int]:
    return {"bootstrap.servers": servers, **(security or {})}


def _problem(servers: str, what: str, why: object) -> EnvironmentProblem:
    cause = why.args[0] if isinstance(why, KafkaException) else why
    detail = cause.str() if isinstance(cause, KafkaError) else cause
    return EnvironmentProblem(f"Kafka at {servers} {what}: {detail}")
