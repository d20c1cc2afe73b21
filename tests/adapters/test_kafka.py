from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from streaming_eval.adapters.kafka import (
    DeadLetterProducer,
    end_offsets,
    ensure_topic,
    resolve_security,
)
from streaming_eval.adapters.kafka_admin import KafkaAdmin
from streaming_eval.errors import EnvironmentProblem, SettingsError
from streaming_eval.local.kafka_broker import KafkaBroker
from streaming_eval.local.ports import free_ports
from streaming_eval.records import DeadLetter, KafkaRecord
from tests.hostile import hostile_records

TOPIC = "llm.samples.v1.dlq"
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path_factory.mktemp("kafka"), message_max_bytes=300_000) as broker:
        yield broker


@pytest.fixture
def topic(broker: KafkaBroker, request: pytest.FixtureRequest) -> str:
    name = re.sub(r"\W", ".", str(request.node.name))
    assert ensure_topic(broker.bootstrap_servers, name, 1)
    return name


@pytest.fixture(scope="module")
def nowhere() -> str:
    """An address at which nothing listens."""
    return f"127.0.0.1:{free_ports(1)[0]}"


def letter(value: bytes | None, offset: int = 7, key: bytes | None = b"k") -> DeadLetter:
    record = KafkaRecord("llm.samples.v1", 1, offset, 1_740_832_496_789, key, value)
    return DeadLetter(record, "malformed_json", "no JSON at character 5")


def read(broker: KafkaBroker, topic: str, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "test"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages: list[Message] = []
    deadline = time.monotonic() + 30
    while len(messages) < count and time.monotonic() < deadline:
        messages += consumer.consume(count - len(messages), timeout=1)
    consumer.close()
    assert [m.error() for m in messages] == [None] * count
    return messages


def headers(message: Message) -> dict[str, str]:
    told = dict(message.headers() or [])
    return {
        name.removeprefix("streaming_eval.error."): value.decode()
        for name, value in told.items()
        if isinstance(value, bytes)
    }


@slow
def test_a_dead_letter_keeps_its_bytes_and_says_why_and_whence(
    broker: KafkaBroker, topic: str
) -> None:
    value = b'{"id": "a\x00\xff'
    DeadLetterProducer(broker.bootstrap_servers, topic).publish([letter(value)])
    (message,) = read(broker, topic, 1)
    assert (message.key(), message.value()) == (b"k", value)
    assert headers(message) == {
        "reason": "malformed_json",
        "message": "no JSON at character 5",
        "topic": "llm.samples.v1",
        "partition": "1",
        "offset": "7",
        "timestamp": "1740832496789",
    }


@slow
def test_a_tombstone_an_empty_value_and_a_missing_key_stay_what_they_are(
    broker: KafkaBroker, topic: str
) -> None:
    letters = [letter(None), letter(b""), letter(b"x", key=None)]
    DeadLetterProducer(broker.bootstrap_servers, topic).publish(letters)
    messages = read(broker, topic, 3)
    assert [(m.key(), m.value()) for m in messages] == [(b"k", None), (b"k", b""), (None, b"x")]


@slow
def test_a_thousand_hostile_records_arrive_in_order_with_their_bytes(
    broker: KafkaBroker, topic: str
) -> None:
    cases = hostile_records(1_000, largest_bytes=100_000)
    letters = [letter(case.value, offset) for offset, case in enumerate(cases)]
    DeadLetterProducer(broker.bootstrap_servers, topic).publish(letters)
    assert [m.value() for m in read(broker, topic, 1_000)] == [case.value for case in cases]


@slow
@pytest.mark.parametrize("size", [400_000, 20_000_000], ids=["broker", "anyone"])
def test_a_letter_too_large_leaves_its_value_out_and_its_neighbours_whole(
    broker: KafkaBroker, topic: str, size: int
) -> None:
    letters = [letter(b"a" * 200, 1), letter(b"b" * size, 2), letter(b"c" * 200, 3)]
    DeadLetterProducer(broker.bootstrap_servers, topic).publish(letters)
    found = {headers(m)["offset"]: m for m in read(broker, topic, 3)}
    assert found["1"].value() == b"a" * 200
    assert found["3"].value() == b"c" * 200
    assert (found["2"].key(), found["2"].value()) == (b"k", b"")
    assert headers(found["2"])["value_omitted"] == str(size)
    assert "value_omitted" not in headers(found["1"])


@slow
def test_the_producer_works_on_after_a_letter_that_was_too_large(
    broker: KafkaBroker, topic: str
) -> None:
    producer = DeadLetterProducer(broker.bootstrap_servers, topic)
    for offset in range(3):
        producer.publish([letter(b"b" * 400_000, offset), letter(b"small", offset)])
    assert len(read(broker, topic, 6)) == 6


@slow
def test_publishing_nothing_is_fine_and_a_missing_topic_is_an_error(broker: KafkaBroker) -> None:
    producer = DeadLetterProducer(broker.bootstrap_servers, "not.there", timeout_s=2)
    producer.publish([])
    with pytest.raises(EnvironmentProblem, match=r"not\.there: .*[Uu]nknown topic"):
        producer.publish([letter(b"x")])


@slow
def test_a_topic_is_made_once_and_left_alone_afterwards(broker: KafkaBroker) -> None:
    servers = broker.bootstrap_servers
    assert [ensure_topic(servers, "made", 3), ensure_topic(servers, "made", 5)] == [True, False]
    assert KafkaAdmin(servers).partitions()["made"] == 3


@slow
def test_end_offsets_count_what_was_written(broker: KafkaBroker) -> None:
    servers = broker.bootstrap_servers
    ensure_topic(servers, "counted", 2)
    assert end_offsets(servers, "counted") == {0: 0, 1: 0}
    DeadLetterProducer(servers, "counted").publish([letter(b"x", i) for i in range(5)])
    assert sum(end_offsets(servers, "counted").values()) == 5
    with pytest.raises(EnvironmentProblem, match=r"missing ends: .*[Uu]nknown topic"):
        end_offsets(servers, "missing", timeout_s=5)


def test_an_unreachable_broker_is_named(nowhere: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with pytest.raises(EnvironmentProblem, match=f"Kafka at {nowhere} cannot say where topic"):
        end_offsets(nowhere, TOPIC, timeout_s=1)
    with pytest.raises(EnvironmentProblem, match=f"Kafka at {nowhere} cannot make topic"):
        ensure_topic(nowhere, TOPIC, 1, timeout_s=1)
    with pytest.raises(EnvironmentProblem, match=f"Kafka at {nowhere} did not take the dead"):
        DeadLetterProducer(nowhere, TOPIC, timeout_s=1).publish([letter(b"x")])


def test_secrets_are_resolved_when_they_are_used(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("from a file\n")
    security = {
        "security.protocol": "SASL_SSL",
        "sasl.username": "env:KAFKA_USER",
        "sasl.password": f"file:{secret}",
    }
    assert resolve_security(security, {"KAFKA_USER": "me"}) == {
        "security.protocol": "SASL_SSL",
        "sasl.username": "me",
        "sasl.password": "from a file",
    }


def test_a_missing_secret_is_named_with_its_property() -> None:
    with pytest.raises(SettingsError, match=r"kafka\.security\.sasl\.password: .* KAFKA_PASSWORD"):
        resolve_security({"sasl.password": "env:KAFKA_PASSWORD"}, {})
