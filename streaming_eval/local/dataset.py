"""Fetches the real data: the `openfactcheck` wheel, read as a file and never installed.

The package is licensed GPL-3.0 and its inner sets have terms of their own. So it is fetched by the
machine's own pip when a demo or a test needs it, kept in the user's cache, and is no part of this
project.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from streaming_eval.errors import EnvironmentProblem

REQUIREMENT = "openfactcheck==1.1.2"
WHEEL_NAME = "openfactcheck-1.1.2-py3-none-any.whl"
WHEEL_SHA256 = "2b00259e9bcf4db02a05542e68da7e70e450fdd7862ce0f032395f72dfd942e5"
_DOWNLOAD_TIMEOUT_S = 300


def dataset_directory() -> Path:
    """Where fetched data sets are kept: below XDG_CACHE_HOME, else below ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "streaming-eval" / "datasets"


def fetch_wheel(directory: Path | None = None) -> Path:
    """The path of the verified wheel, downloaded on first use (6.2 MB).

    Several processes may call this at once: a wheel appears under its name only when complete.

    Raises:
        EnvironmentProblem: it is neither here nor to be had, or it is not the file we know.
    """
    directory = directory or dataset_directory()
    wheel = directory / WHEEL_NAME
    if wheel.is_file() and _sha256(wheel) == WHEEL_SHA256:
        return wheel
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        downloaded = _download(Path(scratch))
        found = _sha256(downloaded)
        if found != WHEEL_SHA256:
            raise EnvironmentProblem(
                f"{REQUIREMENT}: the downloaded wheel has sha256 {found}, expected {WHEEL_SHA256}"
            )
        downloaded.replace(wheel)
    return wheel


def _download(target: Path) -> Path:
    command = [
        sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--only-binary=:all:",
        "--no-input", "--quiet", "--disable-pip-version-check", "--dest", str(target),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise _unavailable(f"pip took over {_DOWNLOAD_TIMEOUT_S} s", target.parent) from None
    wheel = target / WHEEL_NAME
    if done.returncode or not wheel.is_file():
        complaints = done.stderr.strip().splitlines() or ["pip said nothing"]
        raise _unavailable(complaints[-1], target.parent)
    return wheel


def _unavailable(why: str, directory: Path) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"the recorded answers ({REQUIREMENT}) could not be fetched: {why}. Once, pip must reach a "
        f"package index; or put {WHEEL_NAME} into {directory} by hand."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
