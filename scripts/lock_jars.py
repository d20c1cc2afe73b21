"""Writes streaming_eval/adapters/jars.lock anew from streaming_eval/versions.py: `make lock`."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from streaming_eval.adapters.ivy import Coordinates, Ivy, spark_distribution
from streaming_eval.adapters.jars import LOCK, sha256
from streaming_eval.adapters.java import find_java
from streaming_eval.versions import KAFKA_PACKAGES, SPARK_PACKAGES

_HEADER = "# Made by `make lock` from versions.py: SHA-256, set, group:artifact:version.\n"
_ARTIFACT = re.compile(r"(.+?)-\d+\.")


def main() -> None:
    """Resolves both sets with all their dependencies and pins what came."""
    lines = [*_locked("spark", SPARK_PACKAGES, _shipped()), *_locked("kafka", KAFKA_PACKAGES, [])]
    LOCK.write_text(_HEADER + "".join(lines))


def _shipped() -> list[str]:
    """Artifacts that pyspark brings: Spark's class loader would never load a second copy."""
    names = (_ARTIFACT.match(jar.name) for jar in spark_distribution().glob("*.jar"))
    return sorted({name[1] for name in names if name})


def _locked(name: str, packages: Sequence[str], excluded: Sequence[str]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch, "jars")
        roots = [Coordinates.parse(package) for package in packages]
        for jar in Ivy(find_java(), Path(scratch)).resolve(roots, excluded, directory, _say):
            file = directory / jar.group / jar.artifact / jar.version / f"{jar.artifact}.jar"
            yield f"{sha256(file)} {name} {jar}\n"


def _say(jar: str) -> None:
    sys.stderr.write(f"fetched {jar}\n")


if __name__ == "__main__":
    main()
