import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from streaming_eval.adapters import ivy, jars
from streaming_eval.adapters.ivy import Coordinates, spark_distribution
from streaming_eval.adapters.jars import JarSet, fetch, jar_cache, read_lock
from streaming_eval.errors import EnvironmentProblem
from streaming_eval.versions import KAFKA_PACKAGES, SPARK_PACKAGES

CONTENT = {"one-1.0.jar": b"first", "two-2.0.jar": b"second"}
SET = JarSet(
    "test",
    {
        Coordinates("a.group", "one", "1.0"): hashlib.sha256(b"first").hexdigest(),
        Coordinates("a.group", "two", "2.0"): hashlib.sha256(b"second").hexdigest(),
    },
)
# Stands in for Java: does what Ivy does with the arguments it gets, from a directory of files.
FAKE_IVY = """#!/bin/sh
echo run >> {calls}
for pattern; do :; done
directory=$(dirname "$pattern")
mkdir -p "$directory"
for jar in {repository}/*.jar; do
  cp "$jar" "$directory"
  echo "	[SUCCESSFUL ] a.group#$(basename "$jar" .jar);1.0!x.jar (3ms)"
done
{ending}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    repository = tmp_path / "repository"
    repository.mkdir()
    for name, content in CONTENT.items():
        (repository / name).write_bytes(content)
    return repository


@pytest.fixture
def calls(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install_ivy(tmp_path, repository, monkeypatch)


def install_ivy(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, ending: str = ""
) -> Path:
    calls, java = tmp_path / "calls", tmp_path / "java"
    calls.touch()
    java.write_text(FAKE_IVY.format(calls=calls, repository=repository, ending=ending))
    java.chmod(0o755)
    monkeypatch.setattr(jars, "find_java", lambda: java)
    return calls


def runs(calls: Path) -> int:
    return len(calls.read_text().splitlines())


def test_jars_are_fetched_once(tmp_path: Path, calls: Path) -> None:
    said: list[str] = []
    first = fetch(SET, tmp_path / "cache", said.append)
    assert [path.read_bytes() for path in first] == [b"first", b"second"]
    assert said == ["test: 1/2 one-1.0 1.0", "test: 2/2 two-2.0 1.0"]
    assert fetch(SET, tmp_path / "cache") == first
    assert runs(calls) == 1
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [SET.identity]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_cache_is_fetched_again(
    tmp_path: Path, calls: Path, damage: Callable[[Path], object]
) -> None:
    cache = tmp_path / "cache"
    damage(fetch(SET, cache)[1])
    assert fetch(SET, cache)[1].read_bytes() == b"second"
    assert runs(calls) == 2


@pytest.mark.usefixtures("calls")
def test_a_jar_with_another_checksum_is_refused_and_not_kept(
    tmp_path: Path, repository: Path
) -> None:
    (repository / "two-2.0.jar").write_bytes(b"tampered")
    with pytest.raises(EnvironmentProblem, match=r"a\.group:two:2\.0 is refused"):
        fetch(SET, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("calls")
def test_a_jar_that_the_repository_does_not_give_is_named(tmp_path: Path, repository: Path) -> None:
    (repository / "two-2.0.jar").unlink()
    with pytest.raises(EnvironmentProblem, match=r"no file for a\.group:two:2\.0"):
        fetch(SET, tmp_path / "cache")


def test_a_failed_fetch_gives_ivys_reason_and_the_remedy(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = "echo '  module not found: a.group#two;2.0'; echo 'noise'; exit 1"
    install_ivy(tmp_path, repository, monkeypatch, ending)
    with pytest.raises(EnvironmentProblem, match="DEFAULT_ARTIFACT_REPOSITORY") as problem:
        fetch(SET, tmp_path / "cache")
    assert "(module not found: a.group#two;2.0)" in str(problem.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_process_that_comes_second_uses_what_the_first_has_fetched(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    finished = cache / SET.identity
    install_ivy(tmp_path, repository, monkeypatch, f"cp -r {repository} {finished}")
    assert [path.read_bytes() for path in fetch(SET, cache)] == [b"first", b"second"]
    assert [entry.name for entry in cache.iterdir()] == [SET.identity]


def test_a_changed_jar_makes_another_directory() -> None:
    changed = dict(SET.checksums) | {Coordinates("a.group", "one", "1.0"): "0" * 64}
    assert JarSet("test", changed).identity != SET.identity


@pytest.mark.parametrize(
    ("name", "packages"), [("spark", SPARK_PACKAGES), ("kafka", KAFKA_PACKAGES)]
)
def test_the_lock_holds_the_packages_of_versions_py(name: str, packages: tuple[str, ...]) -> None:
    assert {Coordinates.parse(package) for package in packages} <= set(read_lock(name).checksums)


def test_no_spark_jar_is_one_that_pyspark_ships() -> None:
    shipped = {path.name for path in spark_distribution().glob("*.jar")}
    assert not shipped & {jar.file_name for jar in read_lock("spark").checksums}


def test_file_names_are_distinct_within_a_set() -> None:
    for name in ("spark", "kafka"):
        names = [jar.file_name for jar in read_lock(name).checksums]
        assert len(set(names)) == len(names)


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jar_cache() == tmp_path / "streaming-eval" / "jars"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert jar_cache() == tmp_path / ".cache" / "streaming-eval" / "jars"


def test_java_is_told_of_the_proxy_that_pip_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:word@proxy.example:3128")
    assert ivy.proxy_options() == [
        "-Dhttps.proxyHost=proxy.example",
        "-Dhttps.proxyPort=3128",
    ]
    monkeypatch.setenv("https_proxy", "")
    assert ivy.proxy_options() == []
