"""Packages to compare with live in environments of their own, so that they cannot disturb ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from streaming_eval.adapters.jars import jar_cache


def own_environment(name: str, requirements: Sequence[str], unwanted: Sequence[str] = ()) -> Path:
    """The interpreter of a virtual environment in the user's cache; made at first use.

    Args:
        name: of the environment; another set of packages needs another name.
        requirements: what pip installs.
        unwanted: what is removed again.
    """
    home = jar_cache().parent / name
    python = home / "bin" / "python"
    complete = home / "complete"
    if not complete.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        pip: list[str | Path] = [python, "-m", "pip", "--quiet"]
        subprocess.run([*pip, "install", *requirements], check=True)
        if unwanted:
            subprocess.run([*pip, "uninstall", "--yes", *unwanted], check=True)
        complete.touch()
    return python
