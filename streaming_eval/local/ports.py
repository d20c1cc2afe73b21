"""Free TCP ports on the loopback interface."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from pathlib import Path

from streaming_eval.errors import EnvironmentProblem

LOOPBACK = "127.0.0.1"

_OUTGOING_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 15_000
_USUAL_OUTGOING_START = 32_768
_TRIES = 200


def free_ports(count: int, preferred: Sequence[int] = ()) -> list[int]:
    """Ports that nobody listens on now, each the preferred one of its place where that is free.

    They lie below the range from which Linux takes the ports of outgoing connections. Inside it, a
    client that keeps calling a stopped server on the same machine sooner or later gets that very
    port, is connected to itself, and the server cannot come back.
    """
    ports: list[int] = []
    for wished in [*preferred, *[0] * count][:count]:
        ports.append(wished if wished and is_free(wished) else _another({*ports, *preferred}))
    return ports


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface."""
    with socket.socket() as probe:
        # Connections of an earlier server that are still being closed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def accepts(port: int) -> bool:
    """Whether a server takes connections on this port of the loopback interface now."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _another(taken: set[int]) -> int:
    for port in random.sample(range(_LOWEST, _outgoing_start()), _TRIES):
        if port not in taken and is_free(port):
            return port
    raise EnvironmentProblem(f"no free port on {LOOPBACK} from {_LOWEST} up, after {_TRIES} tries.")


def _outgoing_start() -> int:
    try:
        start = int(_OUTGOING_RANGE.read_text().split()[0])
    except OSError:
        return _USUAL_OUTGOING_START
    return start if start >= _LOWEST + _TRIES else _USUAL_OUTGOING_START
