from __future__ import annotations

import json
from pathlib import Path

import pytest

from streaming_eval.local.demo_state import DemoState
from streaming_eval.local.sample_replay import Swap


@pytest.mark.parametrize(
    "state",
    [
        DemoState(),
        DemoState(runs=2, produced=31_000),
        DemoState(runs=3, produced=40_000, swap=Swap(1_700_000_000_123, 30_500)),
    ],
)
def test_a_run_goes_on_where_the_last_one_stopped(tmp_path: Path, state: DemoState) -> None:
    state.save(tmp_path)
    assert DemoState.load(tmp_path) == state


def test_the_first_run_begins_afresh(tmp_path: Path) -> None:
    assert DemoState.load(tmp_path) == DemoState(runs=0, produced=0, swap=None)
    assert list(tmp_path.iterdir()) == [], "looking writes nothing"


def test_the_newest_state_is_kept_and_nothing_beside_it(tmp_path: Path) -> None:
    for runs in range(3):
        DemoState(runs=runs).save(tmp_path)
    assert DemoState.load(tmp_path).runs == 2
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_a_save_that_is_cut_short_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DemoState(runs=1).save(tmp_path)

    def torn(path: Path, text: str) -> int:
        with path.open("w") as file:
            file.write(text[:5])
        raise OSError

    monkeypatch.setattr(Path, "write_text", torn)
    with pytest.raises(OSError):
        DemoState(runs=2).save(tmp_path)
    assert DemoState.load(tmp_path) == DemoState(runs=1)


def test_the_file_is_plain_json_that_people_can_read(tmp_path: Path) -> None:
    DemoState(runs=1, produced=5, swap=Swap(7, 3)).save(tmp_path)
    assert json.loads((tmp_path / "demo.json").read_text()) == {
        "runs": 1,
        "produced": 5,
        "swap": {"at_ms": 7, "after_samples": 3},
    }
