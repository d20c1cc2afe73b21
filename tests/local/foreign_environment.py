"""Virtual environments with programs of other makers, made once and kept in the user's cache."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from streaming_eval.local.dataset import dataset_directory

_LIMIT_S = 280


def environment(*requirements: str) -> Path:
    """The directory of an environment that holds these; its programs lie in `bin`.

    The machine's own pip installs them, from wherever it is configured to look.
    """
    digest = sha256("\0".join((sys.version, *requirements)).encode()).hexdigest()[:12]
    place = dataset_directory().parent / "test-environments" / digest
    ready = place / "ready"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several test runs the first one makes it
        if not ready.exists():
            _make(place / "env", requirements)
            ready.touch()
    return place / "env"


def _make(target: Path, requirements: tuple[str, ...]) -> None:
    shutil.rmtree(target, ignore_errors=True)
    python = str(target / "bin" / "python")
    quietly = ("--quiet", "--no-input", "--disable-pip-version-check")
    for command in (
        [sys.executable, "-m", "venv", str(target)],
        [python, "-m", "pip", "install", *quietly, *requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S)
        assert done.returncode == 0, done.stderr
