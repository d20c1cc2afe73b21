"""Finds the Java runtime that Spark, Ivy and the embedded broker run on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.versions import JAVA_MINIMUM

# Debian, Fedora and Alpine all install here; `java` on PATH may still be an older one.
_SYSTEM_JAVAS = Path("/usr/lib/jvm")
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_PROBE_TIMEOUT_S = 30


def find_java(
    environment: Mapping[str, str] = os.environ, system_javas: Path = _SYSTEM_JAVAS
) -> Path:
    """The first `java` that is new enough: of JAVA_HOME, else of PATH, else installed beside it.

    Raises:
        EnvironmentProblem: there is none; the message says what was found and what to install.
    """
    found = []
    for java in _candidates(environment, system_javas):
        major = major_version(java)
        if major is not None and major >= JAVA_MINIMUM:
            return java
        found.append(f"{java} is {'broken' if major is None else f'version {major}'}")
    raise EnvironmentProblem(
        f"Java {JAVA_MINIMUM} or later is needed ({'; '.join(found) or 'none was found'}): install "
        f"it, e.g. openjdk-{JAVA_MINIMUM}-jre-headless on Debian or Ubuntu, or set JAVA_HOME."
    )


def java_home(java: Path) -> Path:
    """The directory that JAVA_HOME must name for programs to run this `java`, links followed."""
    return java.resolve().parent.parent


def major_version(java: Path) -> int | None:
    """17 for Java 17.0.15, 8 for 1.8.0; None when it does not run or does not say."""
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    said = _VERSION.search(done.stderr)
    return int(said[1]) if said else None


def _candidates(environment: Mapping[str, str], system_javas: Path) -> Iterator[Path]:
    if home := environment.get("JAVA_HOME"):
        yield Path(home, "bin", "java")
    if on_path := shutil.which("java", path=environment.get("PATH", "")):
        yield Path(on_path)
    yield from sorted(system_javas.glob("*/bin/java"), reverse=True)
