"""The jars beside those of pyspark: pinned by SHA-256 in `jars.lock`, fetched once per user."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streaming_eval.adapters.ivy import Coordinates, Ivy, Say
from streaming_eval.adapters.java import find_java
from streaming_eval.errors import EnvironmentProblem

# Spark's own variable for a repository to use in place of Maven Central.
_MIRROR = "DEFAULT_ARTIFACT_REPOSITORY"

LOCK = Path(__file__).with_name("jars.lock")


@dataclass(frozen=True, slots=True)
class JarSet:
    """Jars that are used together.

    Attributes:
        name: of the set, as in the lock.
        checksums: of every jar of the set, SHA-256 in hexadecimal digits.
    """

    name: str
    checksums: Mapping[Coordinates, str]

    @property
    def identity(self) -> str:
        """Changes whenever a jar does, so a cached directory is never the wrong one."""
        content = "".join(f"{jar} {self.checksums[jar]}\n" for jar in sorted(self.checksums))
        return f"{self.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def spark_jars() -> list[Path]:
    """What Spark needs for Delta and Kafka, fetched first where this user does not have it yet."""
    return fetch(read_lock("spark"), jar_cache())


def kafka_jars() -> list[Path]:
    """The class path of an Apache Kafka broker."""
    return fetch(read_lock("kafka"), jar_cache())


def jar_cache() -> Path:
    """Where fetched jars are kept: below XDG_CACHE_HOME, else below ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "streaming-eval" / "jars"


def read_lock(name: str, lock: Path = LOCK) -> JarSet:
    """The named set of the lock, whose lines are: checksum, set, group:artifact:version."""
    lines = [line.split() for line in lock.read_text().splitlines() if not line.startswith("#")]
    return JarSet(name, {Coordinates.parse(jar): digest for digest, of, jar in lines if of == name})


def fetch(jars: JarSet, cache: Path, say: Say = lambda line: None) -> list[Path]:
    """The set's files, fetched and verified where the cache does not have all of them.

    Several processes may call this at once: a directory appears under its name only when complete.

    Args:
        jars: which.
        cache: the directory of sets, made where missing.
        say: told of each jar fetched.

    Raises:
        EnvironmentProblem: no Java, no way to the repository, or not the files we know.
    """
    directory = cache / jars.identity
    if not _complete(jars, directory):
        java = find_java()
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
            fetched = Path(scratch, "jars")
            count = iter(range(1, len(jars.checksums) + 1))
            Ivy(java, Path(scratch), os.environ.get(_MIRROR)).retrieve(
                sorted(jars.checksums),
                fetched,
                lambda jar: say(f"{jars.name}: {next(count, '?')}/{len(jars.checksums)} {jar}"),
            )
            _verify(jars, fetched)
            _publish(jars, fetched, directory)
    return _paths(jars, directory)


def _paths(jars: JarSet, directory: Path) -> list[Path]:
    return [directory / jar.file_name for jar in sorted(jars.checksums)]


def _complete(jars: JarSet, directory: Path) -> bool:
    paths = _paths(jars, directory)
    return all(path.is_file() and path.stat().st_size > 0 for path in paths)


def _verify(jars: JarSet, directory: Path) -> None:
    for jar, path in zip(sorted(jars.checksums), _paths(jars, directory), strict=True):
        if not path.is_file():
            raise EnvironmentProblem(f"the repository gave no file for {jar}.")
        if (found := sha256(path)) != jars.checksums[jar]:
            raise EnvironmentProblem(
                f"{jar} is refused: its SHA-256 is {found}, expected {jars.checksums[jar]}. "
                "The repository (or something on the way to it) served another file."
            )


def _publish(jars: JarSet, fetched: Path, directory: Path) -> None:
    if directory.exists() and not _complete(jars, directory):
        shutil.rmtree(directory, ignore_errors=True)
    try:
        fetched.rename(directory)
    except OSError:
        if not _complete(jars, directory):  # else another process was faster
            raise


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
