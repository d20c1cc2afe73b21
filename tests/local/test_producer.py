import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.kafka_broker import KafkaBroker
from streaming_eval.local.ports import free_ports
from streaming_eval.local.producer import SampleProducer
from streaming_eval.local.questions import GPT_4, Question
from streaming_eval.local.sample_replay import SampleReplay, TopicRecord
from streaming_eval.local.topic_writer import TopicWriter

TOPIC = "llm.samples.v1"


class Memory:
    """Keeps records and when they came."""

    def __init__(self) -> None:
        self.records: list[TopicRecord] = []
        self.times: list[float] = []
        self.acknowledged = 0

    def write(self, record: TopicRecord) -> None:
        self.records.append(record)
        self.times.append(time.monotonic())

    def collect(self) -> None:
        self.acknowledged = len(self.records)

    def flush(self) -> None:
        self.collect()


def _replay() -> SampleReplay:
    answers = {GPT_4: "Yes.", "llama-2-7b": "No."}
    question = Question("Really?", ("yes",), "squad", "History", "", answers)
    return SampleReplay([question], run_id="run")


def _responses(records: list[TopicRecord]) -> list[str]:
    return [json.loads(record.value or b"")["response"] for record in records]


def test_samples_come_at_the_rate_asked_for() -> None:
    memory = Memory()
    SampleProducer(memory, _replay()).run(rate_per_s=500, limit=200)
    assert len(memory.records) == 200
    assert memory.times[-1] - memory.times[0] >= 199 / 500 - 0.01


def test_a_stalled_producer_catches_up() -> None:
    """A clock that jumps ten seconds stands for a stall: what was due meanwhile comes at once."""
    memory, ticks = Memory(), iter([0.0, 0.0, 0.0, 10.0, 10.0])
    SampleProducer(memory, _replay(), steady_s=lambda: next(ticks)).run(rate_per_s=50, limit=400)
    assert len(memory.records) == 400


def test_a_thread_sends_until_it_is_stopped_and_swaps_when_told() -> None:
    memory = Memory()
    producer = SampleProducer(memory, _replay())
    producer.start(rate_per_s=1_000)
    _wait_until(lambda: producer.produced > 20)
    swap = producer.swap()
    _wait_until(lambda: producer.produced > swap.after_samples + 20)
    producer.stop()
    assert producer.acknowledged == producer.produced == len(memory.records)
    first, rest = memory.records[: swap.after_samples], memory.records[swap.after_samples :]
    assert set(_responses(first)) == {"Yes."}
    assert set(_responses(rest)) == {"No."}
    assert producer.swapped == swap


def test_an_error_in_the_thread_reaches_the_caller() -> None:
    class Broken(Memory):
        def write(self, record: TopicRecord) -> None:
            raise EnvironmentProblem("disk full")

    producer = SampleProducer(Broken(), _replay())
    producer.start(rate_per_s=1_000)
    with pytest.raises(EnvironmentProblem, match="disk full"):
        producer.stop()


def test_without_a_broker_flushing_says_what_was_not_acknowledged() -> None:
    writer = TopicWriter(f"127.0.0.1:{free_ports(1)[0]}", TOPIC, patience_s=1.0)
    writer.write(TopicRecord(b"k", b"v"))
    with pytest.raises(EnvironmentProblem, match="acknowledge"):
        writer.flush()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        broker.create_topic(TOPIC, 2)
        yield broker


@pytest.mark.slow
def test_a_real_broker_gets_every_sample_once_and_raw_bytes_untouched(broker: KafkaBroker) -> None:
    writer = TopicWriter(broker.bootstrap_servers, TOPIC)
    producer = SampleProducer(writer, _replay())
    start = time.monotonic()
    producer.produce_all(20_000)
    took_s = time.monotonic() - start
    hostile = [TopicRecord(None, b"\xff\x00"), TopicRecord(b"", None), TopicRecord(b"k", b"")]
    assert writer.write_all(hostile) == 3
    found = _read(broker, 20_003)
    assert producer.acknowledged == 20_003
    assert took_s < 10.0
    assert {key for key, _ in found} >= {f"run-{n:08d}".encode() for n in range(20_000)}
    assert len(found) == 20_003
    assert {(None, b"\xff\x00"), (b"", None), (b"k", b"")} <= set(found)


@pytest.mark.slow
def test_as_a_process_it_ends_in_order_on_sigterm(broker: KafkaBroker) -> None:
    command = [
        sys.executable, "-m", "streaming_eval.local.produce", "--rate", "500", "--run-id", "own",
        "--bootstrap-servers", broker.bootstrap_servers, "--topic", TOPIC, "--swap-after", "5",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        time.sleep(3.0)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    summary = json.loads(output)
    assert process.returncode == 0
    assert summary["produced"] == summary["acknowledged"] > 5
    assert summary["swap"]["after_samples"] == 5


def _read(broker: KafkaBroker, count: int) -> list[tuple[bytes | None, bytes | None]]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "test"})
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in (0, 1)])
    found: list[tuple[bytes | None, bytes | None]] = []
    while messages := consumer.consume(count, timeout=3.0):
        found += [(message.key(), message.value()) for message in messages]
    consumer.close()
    return found


def _wait_until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)
