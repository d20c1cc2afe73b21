"""The embedded broker's configuration files."""

from __future__ import annotations

import re
from pathlib import Path

from streaming_eval.local.ports import LOOPBACK

_PORTS = re.compile(r"^listeners=CLIENT://\S+?:(\d+),CONTROLLER://\S+?:(\d+)$", re.MULTILINE)
_BATCH_OVERHEAD_BYTES = 65_536

# With its own shutdown hook the logger would fall silent before the broker has shut down.
LOGGING = """\
shutdownHook = disable
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
"""


def server_properties(data: Path, port: int, controller_port: int, message_max_bytes: int) -> str:
    """The broker's configuration: one node that is broker and controller.

    Args:
        data: directory of the records.
        port: for clients, on the loopback interface.
        controller_port: for the broker's talk with itself, likewise.
        message_max_bytes: the largest record batch that is taken.
    """
    listeners = f"CLIENT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": listeners,
        "advertised.listeners": f"CLIENT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        # A stopped job must find what it has not read yet, however long it was stopped.
        "log.retention.ms": -1,
        "message.max.bytes": message_max_bytes,
        "replica.fetch.max.bytes": message_max_bytes,
        "socket.request.max.bytes": max(104_857_600, message_max_bytes + _BATCH_OVERHEAD_BYTES),
        "group.initial.rebalance.delay.ms": 0,
        # A killed broker is let in again only when its former self has timed out.
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        # The default of 128 MiB would be a quarter of the small heap.
        "log.cleaner.dedupe.buffer.size": 4_194_304,
        "num.network.threads": 2,
        "num.io.threads": 4,
    }
    return "".join(f"{key}={value}\n" for key, value in (settings | _single_node()).items())


def previous_ports(properties: Path) -> list[int]:
    """The client's and the controller's port of the last run; none before the first."""
    written = _PORTS.search(properties.read_text()) if properties.exists() else None
    return [int(port) for port in written.groups()] if written else []


def _single_node() -> dict[str, object]:
    return {
        f"{topic}.{setting}": 1
        for topic, settings in {
            "offsets.topic": ("num.partitions", "replication.factor"),
            "transaction.state.log": ("num.partitions", "replication.factor", "min.isr"),
            "share.coordinator.state.topic": ("num.partitions", "replication.factor", "min.isr"),
        }.items()
        for setting in settings
    }
