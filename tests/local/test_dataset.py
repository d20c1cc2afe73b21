import zipfile
from pathlib import Path

import pytest

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.dataset import WHEEL_NAME, dataset_directory, fetch_wheel

METADATA = "Metadata-Version: 2.1\nName: openfactcheck\nVersion: 1.1.2\n"


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The real wheel, fetched while pip may still use its index."""
    return fetch_wheel()


@pytest.fixture
def offline(wheel: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory that is all the package index pip may use."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def test_the_cache_lies_below_xdg_cache_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert dataset_directory() == Path("/somewhere/streaming-eval/datasets")


def test_the_cache_lies_below_home_when_xdg_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert dataset_directory() == Path.home() / ".cache/streaming-eval/datasets"


def test_without_an_index_the_error_says_what_to_do(offline: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem) as problem:
        fetch_wheel(tmp_path / "cache")
    assert f"put {WHEEL_NAME} into {tmp_path / 'cache'}" in str(problem.value)
    assert "No matching distribution" in str(problem.value)


def test_a_wheel_with_other_content_is_refused_and_not_kept(offline: Path, tmp_path: Path) -> None:
    _write_impostor(offline / WHEEL_NAME)
    with pytest.raises(EnvironmentProblem, match="sha256"):
        fetch_wheel(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_verified_wheel_is_used_without_asking_pip(offline: Path, wheel: Path) -> None:
    assert fetch_wheel() == fetch_wheel(wheel.parent) == wheel


def test_a_damaged_wheel_is_fetched_again(offline: Path, wheel: Path, tmp_path: Path) -> None:
    (offline / WHEEL_NAME).symlink_to(wheel)
    (tmp_path / WHEEL_NAME).write_bytes(wheel.read_bytes()[:1000])
    assert fetch_wheel(tmp_path).read_bytes() == wheel.read_bytes()


def _write_impostor(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        info = "openfactcheck-1.1.2.dist-info"
        wheel.writestr(f"{info}/METADATA", METADATA)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
