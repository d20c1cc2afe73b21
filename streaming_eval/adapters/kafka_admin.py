"""Administers a Kafka cluster: is it there, and are the topics."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

_REQUEST_TIMEOUT_S = 15.0


class KafkaAdmin:
    """Questions and orders to one cluster.

    Args:
        bootstrap_servers: host:port, comma separated.
        security: librdkafka security properties.
    """

    def __init__(self, bootstrap_servers: str, security: Mapping[str, str] | None = None) -> None:
        self._client = AdminClient(
            {
                "bootstrap.servers": bootstrap_servers,
                # A cluster that does not answer is this class's answer, not a line on stderr.
                "log_level": 0,
                **(security or {}),
            }
        )

    def answers(self, timeout_s: float) -> bool:
        """Whether a broker replies to a metadata request within the time."""
        try:
            return bool(self._client.list_topics(timeout=timeout_s).brokers)
        except KafkaException:
            return False

    def partitions(self, timeout_s: float = _REQUEST_TIMEOUT_S) -> dict[str, int]:
        """How many partitions each topic has."""
        topics = self._client.list_topics(timeout=timeout_s).topics
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def create_topic(
        self,
        name: str,
        partitions: int,
        *,
        replication_factor: int = 1,
        config: Mapping[str, str] | None = None,
    ) -> bool:
        """Creates the topic and returns True; one that exists is left as it is: False."""
        topic = NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=replication_factor,
            config=dict(config or {}),
        )
        created = self._client.create_topics([topic], request_timeout=_REQUEST_TIMEOUT_S)[name]
        try:
            created.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise
        return True
