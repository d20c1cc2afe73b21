"""Processes below another one, as Linux shows them under /proc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_RESET_PEAK = "5"


def python_workers(ancestor: int) -> list[int]:
    """Spark's Python workers below a process; not the daemons that they are forked from."""
    daemons = {pid for pid, command in descendants(ancestor) if "pyspark.daemon" in command}
    return sorted(pid for pid in daemons if _parent(pid) in daemons)


def exists(pid: int) -> bool:
    """Whether there is such a process, be it a dead one that nobody has waited for."""
    return Path(f"/proc/{pid}").exists()


def has_kernel_timer(pid: int) -> bool:
    """Whether a process has a timer that sends it a signal, such as a dead man's switch."""
    try:
        return "signal:" in Path(f"/proc/{pid}/timers").read_text()
    except OSError:
        return False


def resident_bytes(pid: int) -> int:
    """Memory that a process has now; 0 when there is none."""
    return _status_bytes(pid, "VmRSS:")


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had since `forget_peak`, or ever."""
    return _status_bytes(pid, "VmHWM:")


def forget_peak(pid: int) -> None:
    """Begins the measurement of the peak anew."""
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)


def _status_bytes(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1_024 for line in lines if line.startswith(name)), 0)


def descendants(ancestor: int) -> list[tuple[int, str]]:
    """(pid, command line) of each process below `ancestor`."""
    parents = {pid: _parent(pid) for pid in _pids()}
    family, found = {ancestor}, {ancestor}
    while found:
        found = {pid for pid, parent in parents.items() if parent in found}
        family |= found
    return [(pid, _command(pid)) for pid in family - {ancestor}]


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _parent(pid: int) -> int | None:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return None
    return int(after_name.split()[1])


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
