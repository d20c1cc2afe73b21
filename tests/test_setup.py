"""The set-up script and the locks, without a network."""

import os
import re
import shutil
import subprocess
import tomllib
from functools import partial
from pathlib import Path

import pytest

from streaming_eval.adapters.java import find_java
from streaming_eval.local import setup

ROOT = Path(__file__).parents[1]
# What the script itself calls; a machine has these long before it has Java.
TOOLS = ("bash", "env", "id", "mktemp", "rm", "tail", "dirname")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with neither Prometheus nor a package manager."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for tool in TOOLS:
        # Not a link: a test that replaces a tool would write through it, into the machine's own.
        program(directory / tool, f'exec {shutil.which(tool)} "$@"')
    return directory


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


def run(path: Path, *arguments: str, **environment: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [ROOT / "scripts" / "setup.sh", *arguments],
        env={"PATH": str(path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_without_a_package_manager_one_sentence_says_what_to_install(bare_path: Path) -> None:
    code, said = run(bare_path, "prometheus")
    assert code == 1
    assert len(said) == 1
    assert "install your system's package 'prometheus'" in said[0]


def test_the_package_manager_installs_what_is_missing(bare_path: Path, tmp_path: Path) -> None:
    program(bare_path / "id", "echo 0")
    touch = f": >{bare_path}/prometheus; : >{bare_path}/promtool"
    chmod = f"/bin/chmod 755 {bare_path}/prometheus {bare_path}/promtool"
    program(bare_path / "apt-get", f'echo "$*" >>{tmp_path}/calls; {touch}; {chmod}')
    code, said = run(bare_path, "prometheus")
    assert code == 0
    assert said == [
        "Installing the system package prometheus ...",
        f"Prometheus: {bare_path}/prometheus",
    ]
    assert (tmp_path / "calls").read_text().endswith("--no-install-recommends prometheus\n")


@pytest.mark.parametrize("name", ["alertmanager", "prometheus-alertmanager"])
def test_alertmanager_is_found_under_either_name(bare_path: Path, name: str) -> None:
    assert run(bare_path, "alertmanager")[0] == 1
    for each in (name, "amtool"):
        program(bare_path / each, "exit 0")
    assert run(bare_path, "alertmanager") == (0, [f"Alertmanager: {bare_path}/{name}"])


def test_stale_package_lists_are_renewed_and_tried_again(bare_path: Path, tmp_path: Path) -> None:
    program(bare_path / "id", "echo 0")
    calls = tmp_path / "calls"
    program(bare_path / "apt-get", f'echo "${{@: -1}}" >>{calls}; [ "${{@: -1}}" = update ]')
    code, said = run(bare_path, "prometheus")
    assert code == 1
    assert calls.read_text().split() == ["prometheus", "update", "prometheus"]
    assert "could not be installed" in said[-1]


def test_nobody_is_asked_for_a_password(bare_path: Path, tmp_path: Path) -> None:
    program(bare_path / "id", "echo 1000")
    program(bare_path / "sudo", f'echo "$*" >>{tmp_path}/calls; exit 1')
    program(bare_path / "apt-get", f"echo apt-get >>{tmp_path}/calls")
    code, _ = run(bare_path, "prometheus")
    assert code == 1
    assert (tmp_path / "calls").read_text() == "-n true\n"


def test_a_machine_without_a_new_enough_python_is_told_so(bare_path: Path) -> None:
    program(bare_path / "python3", "exit 1")
    code, said = run(bare_path, "venv")
    assert code == 1
    assert len(said) == 1
    assert "Python 3.11 or later is needed" in said[0]


def test_an_unknown_step_is_refused(bare_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bare_path, "everything")[0] == 1
    assert setup.main(["everything"]) == 2
    assert "usage" in capsys.readouterr().err


def test_a_missing_java_is_a_sentence_not_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "java"
    program(broken, "exit 1")
    environment = {"PATH": str(tmp_path)}
    monkeypatch.setattr(setup, "find_java", partial(find_java, environment, tmp_path / "none"))
    assert setup.main(["java"]) == 1
    said = capsys.readouterr().err
    assert f"{broken} is broken" in said
    assert "Traceback" not in said


def test_the_lock_holds_every_pin_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^(\S+==\S+) ", (ROOT / "requirements.lock").read_text(), re.M))
    pins = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {pin.lower() for pin in pins} <= locked


def test_every_locked_package_has_a_hash() -> None:
    entries = (ROOT / "requirements.lock").read_text().replace("\\\n", "").splitlines()
    packages = [entry for entry in entries if entry and not entry.startswith("#")]
    assert packages
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", package) for package in packages)


@pytest.mark.parametrize("lock", ["requirements.lock", "streaming_eval/adapters/jars.lock"])
def test_no_lock_names_an_address(lock: str) -> None:
    content = (ROOT / lock).read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", content)
    assert os.fspath(ROOT) not in content
