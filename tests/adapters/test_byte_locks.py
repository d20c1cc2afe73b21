"""Claims of the kernel's: one holder each, free when it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streaming_eval.adapters.byte_locks import ByteLocks
from streaming_eval.errors import StorageError

LAST = (1 << 60) - 1


def test_a_byte_has_one_holder_and_the_others_know(tmp_path: Path) -> None:
    one, other = ByteLocks(tmp_path / "locks"), ByteLocks(tmp_path / "locks")
    assert one.take(LAST)
    assert one.take(LAST), "its holder may take it again"
    assert (other.take(LAST), other.taken(LAST), one.taken(LAST)) == (False, True, False)
    assert other.take(LAST - 1), "its neighbour is free"
    one.release(LAST)
    assert other.take(LAST)


def test_closing_frees_everything_and_another_handle_of_the_process_nothing(tmp_path: Path) -> None:
    one, other = ByteLocks(tmp_path / "locks"), ByteLocks(tmp_path / "locks")
    one.take(7)
    ByteLocks(tmp_path / "locks").close()  # would free it, were it a lock of the older kind
    assert other.taken(7)
    one.close()
    one.close()
    assert not other.taken(7)


def test_shared_holders_agree_and_are_seen(tmp_path: Path) -> None:
    one, other, third = (ByteLocks(tmp_path / "locks") for _ in range(3))
    assert one.take(3, shared=True)
    assert other.take(3, shared=True)
    assert third.taken(3)
    one.close()
    assert third.taken(3)
    other.close()
    assert not third.taken(3)


def test_the_locks_of_a_killed_process_are_free_and_of_a_stopped_one_are_not(
    tmp_path: Path,
) -> None:
    code = (
        "import sys, time; from pathlib import Path;"
        "from streaming_eval.adapters.byte_locks import ByteLocks;"
        "locks = ByteLocks(Path(sys.argv[1])); locks.take(9)\n"
        "print('held', flush=True); time.sleep(60)"
    )
    path = tmp_path / "locks"
    locks = ByteLocks(path)
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder, holder.stdout:
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGSTOP)
        assert not locks.take(9)
        holder.send_signal(signal.SIGKILL)
    assert locks.take(9)


def test_a_place_that_cannot_hold_a_lock_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot open"):
        ByteLocks(tmp_path / "file" / "locks")
