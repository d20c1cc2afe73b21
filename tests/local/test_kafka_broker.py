import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer

from streaming_eval.adapters.kafka_admin import KafkaAdmin
from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local import kafka_broker
from streaming_eval.local.kafka_broker import KafkaBroker
from streaming_eval.local.kafka_properties import previous_ports, server_properties

TOPIC = "llm.samples.v1"
BIG = 3_000_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    directory = tmp_path_factory.mktemp("kafka")
    with KafkaBroker(directory, message_max_bytes=2 * BIG) as broker:
        broker.create_topic(TOPIC, 2)
        yield broker


def produce(broker: KafkaBroker, topic: str, *values: bytes) -> None:
    failures: list[object] = []
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "message.max.bytes": 2 * BIG,
            "message.timeout.ms": 5_000,
            "log_level": 0,
        }
    )
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error))
    producer.flush(30)
    if failed := [failure for failure in failures if failure is not None]:
        raise KafkaException(failed[0])


def consume(broker: KafkaBroker, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "test",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    try:
        values: list[bytes] = []
        deadline = time.monotonic() + 30
        while len(values) < count and time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is not None and message.error() is None:
                values.append(message.value() or b"")
        return sorted(values)
    finally:
        consumer.close()


@pytest.mark.slow
def test_records_and_address_survive_a_clean_restart_and_a_crash(broker: KafkaBroker) -> None:
    produce(broker, TOPIC, b"before")
    address = broker.bootstrap_servers
    broker.stop()
    broker.start()
    produce(broker, TOPIC, b"between")
    broker.kill()
    broker.start()
    produce(broker, TOPIC, b"after")
    assert broker.bootstrap_servers == address
    assert consume(broker, TOPIC, 3) == [b"after", b"before", b"between"]


@pytest.mark.slow
def test_a_topic_that_exists_is_left_as_it_is(broker: KafkaBroker) -> None:
    assert not broker.create_topic(TOPIC, 7)
    assert KafkaAdmin(broker.bootstrap_servers).partitions()[TOPIC] == 2


@pytest.mark.slow
def test_a_topic_can_be_given_limits_of_its_own(broker: KafkaBroker) -> None:
    assert broker.create_topic("narrow", 1, {"max.message.bytes": "1000"})
    with pytest.raises(KafkaException, match="too large"):
        produce(broker, "narrow", os.urandom(5_000))


@pytest.mark.slow
def test_a_topic_is_never_made_by_writing_to_it(broker: KafkaBroker) -> None:
    with pytest.raises(KafkaException):
        produce(broker, "misspelt", b"x")
    assert "misspelt" not in KafkaAdmin(broker.bootstrap_servers).partitions()


@pytest.mark.slow
def test_records_up_to_the_limit_are_taken_and_larger_ones_are_not(broker: KafkaBroker) -> None:
    broker.create_topic("big")
    produce(broker, "big", os.urandom(BIG))
    assert len(consume(broker, "big", 1)[0]) == BIG


@pytest.mark.slow
def test_a_paused_broker_is_silent_and_a_resumed_one_answers(broker: KafkaBroker) -> None:
    admin = KafkaAdmin(broker.bootstrap_servers)
    broker.pause()
    try:
        assert not admin.answers(0.5)
    finally:
        broker.resume()
    assert KafkaAdmin(broker.bootstrap_servers).answers(15)


@pytest.mark.slow
def test_it_listens_on_the_loopback_only(broker: KafkaBroker) -> None:
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path("/proc", str(broker.pid), "net", table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[9]) in _sockets(broker.pid)
    ]
    assert len(listening) == 2
    assert all(_is_loopback(address) for address in listening)


@pytest.mark.slow
def test_a_clean_shutdown_leaves_no_process_and_nothing_to_recover(tmp_path: Path) -> None:
    with KafkaBroker(tmp_path / "kafka") as broker:
        pid = broker.pid
        with pytest.raises(EnvironmentProblem, match="running already"):
            broker.start()
    assert not Path("/proc", str(pid)).exists()
    assert (broker.directory / "data" / ".kafka_cleanshutdown").exists()


@pytest.mark.slow
def test_a_second_broker_on_the_same_directory_is_refused_with_the_reason(
    broker: KafkaBroker,
) -> None:
    with pytest.raises(EnvironmentProblem, match="in use by another process"):
        KafkaBroker(broker.directory).start()
    assert KafkaAdmin(broker.bootstrap_servers).answers(5)


@pytest.mark.slow
def test_a_broker_that_cannot_start_is_explained_by_its_log(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    identity = tmp_path / "data" / "meta.properties"
    identity.write_text("version=1\nnode.id=7\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n")
    with pytest.raises(EnvironmentProblem, match=r"(?s)broker ended.*broker\.log says.*node id 7"):
        KafkaBroker(tmp_path).start()


def test_a_java_that_breaks_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "java"
    broken.write_text("#!/bin/sh\necho 'there is no heap'; exit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(kafka_broker, "find_java", lambda: broken)
    with pytest.raises(EnvironmentProblem, match=r"could not prepare .*there is no heap"):
        KafkaBroker(tmp_path / "kafka").start()


def test_a_broker_that_was_not_started_says_so(tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path)
    broker.stop()
    with pytest.raises(EnvironmentProblem, match="has not been started"):
        broker.kill()


def test_the_ports_of_the_last_run_are_read_back(tmp_path: Path) -> None:
    properties = tmp_path / "server.properties"
    assert previous_ports(properties) == []
    properties.write_text(server_properties(tmp_path, 15_001, 15_002, 1_000))
    assert previous_ports(properties) == [15_001, 15_002]


def test_no_cluster_means_no_answer_and_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    assert not KafkaAdmin("127.0.0.1:9").answers(0.3)
    assert capfd.readouterr() == ("", "")


def _sockets(pid: int) -> set[int]:
    links = (str(link.readlink()) for link in Path("/proc", str(pid), "fd").iterdir())
    return {int(link[8:-1]) for link in links if link.startswith("socket:[")}


def _is_loopback(hexadecimal: str) -> bool:
    address = hexadecimal.partition(":")[0]
    return address.endswith("0100007F")
