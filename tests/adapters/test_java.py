from pathlib import Path

import pytest

from streaming_eval.adapters.java import find_java, java_home, major_version
from streaming_eval.errors import EnvironmentProblem


def fake_java(home: Path, said: str, code: int = 0) -> Path:
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '{said}' >&2; exit {code}\n")
    java.chmod(0o755)
    return java


@pytest.mark.parametrize(
    ("said", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_412"', 8),
        ("gibberish", None),
    ],
)
def test_the_version_is_read_from_what_java_says(
    tmp_path: Path, said: str, major: int | None
) -> None:
    assert major_version(fake_java(tmp_path, said)) == major


def test_a_java_that_does_not_run_has_no_version(tmp_path: Path) -> None:
    assert major_version(tmp_path / "nowhere") is None
    assert major_version(fake_java(tmp_path, 'version "17"', code=1)) is None


def test_java_home_goes_before_the_path(tmp_path: Path) -> None:
    chosen = fake_java(tmp_path / "home", 'version "21"')
    on_path = fake_java(tmp_path / "path", 'version "17"')
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(on_path.parent)}
    assert find_java(environment, tmp_path) == chosen


def test_one_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    old = fake_java(tmp_path / "old", 'version "11.0.2"')
    installed = fake_java(tmp_path / "jvm" / "java-17", 'version "17.0.1"')
    environment = {"JAVA_HOME": str(tmp_path / "old"), "PATH": str(old.parent)}
    assert find_java(environment, tmp_path / "jvm") == installed


def test_a_machine_without_java_is_told_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    old = fake_java(tmp_path / "old", 'version "11.0.2"')
    broken = fake_java(tmp_path / "broken", "no", code=1)
    environment = {"JAVA_HOME": str(tmp_path / "broken"), "PATH": str(old.parent)}
    with pytest.raises(EnvironmentProblem, match="Java 17 or later is needed") as problem:
        find_java(environment, tmp_path / "none")
    assert f"{broken} is broken; {old} is version 11" in str(problem.value)
    with pytest.raises(EnvironmentProblem, match="none was found"):
        find_java({}, tmp_path / "none")


def test_java_home_is_found_behind_links(tmp_path: Path) -> None:
    java = fake_java(tmp_path / "jvm", 'version "17"')
    link = tmp_path / "java"
    link.symlink_to(java)
    assert java_home(link) == (tmp_path / "jvm").resolve()
