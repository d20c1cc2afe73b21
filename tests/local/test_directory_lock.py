import subprocess
import sys
from pathlib import Path

import pytest

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.directory_lock import DirectoryLock


def test_a_second_comer_is_refused_until_the_first_has_gone(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path, "the server"), DirectoryLock(tmp_path, "the server")
    first.acquire()
    first.acquire()
    with pytest.raises(EnvironmentProblem, match=r"the server on .* in use by another process"):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_a_process_that_dies_leaves_no_lock(tmp_path: Path) -> None:
    program = (
        "import os, signal; from pathlib import Path\n"
        "from streaming_eval.local.directory_lock import DirectoryLock\n"
        f"lock = DirectoryLock(Path({str(tmp_path)!r}), 'x')\n"
        "lock.acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    lock = DirectoryLock(tmp_path, "the server")
    lock.acquire()
    lock.release()
