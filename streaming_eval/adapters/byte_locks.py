"""Locks on single bytes of a file, as many as one likes; the kernel frees them with their holder.

They are Linux's open file description locks (`fcntl(2)`, F_OFD_SETLK): unlike the older ones they
belong to an open file and not to a process, so that closing another handle frees nothing, and two
holders may live in one process. They bind the processes of one machine.
"""

from __future__ import annotations

import fcntl
import os
import struct
import weakref
from pathlib import Path

from streaming_eval.errors import StorageError

_FLOCK = "hhqqi4x"  # type, whence, start, length, process
_TYPE_OF_NONE = fcntl.F_UNLCK


class ByteLocks:
    """One holder's locks on the bytes of one file, which need not have so many.

    Args:
        path: of the file; made if need be, with its directories.

    Raises:
        StorageError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"cannot open {path}: {error.strerror}") from error
        self._path = path
        self._close = weakref.finalize(self, os.close, self._file)

    def take(self, byte: int, *, shared: bool = False) -> bool:
        """Locks a byte, unless another holder has; never waits.

        Args:
            byte: its position, below 2^63 - 1.
            shared: lets other holders have a shared lock on it, too.

        Raises:
            StorageError: the file system has no such locks, or too many are held.
        """
        try:
            self._do(fcntl.F_OFD_SETLK, fcntl.F_RDLCK if shared else fcntl.F_WRLCK, byte)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StorageError(f"cannot lock {self._path}: {error.strerror}") from error
        return True

    def release(self, byte: int) -> None:
        """Frees a byte; nothing happens where it was not locked."""
        self._do(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, byte)

    def taken(self, byte: int) -> bool:
        """Whether another holder has locked the byte."""
        found = self._do(fcntl.F_OFD_GETLK, fcntl.F_WRLCK, byte)
        return bool(struct.unpack(_FLOCK, found)[0] != _TYPE_OF_NONE)

    def write(self, content: bytes) -> None:
        """Puts this at the beginning of the file."""
        os.pwrite(self._file, content, 0)

    def close(self) -> None:
        """Frees all; may be called twice."""
        self._close()

    def _do(self, command: int, kind: int, byte: int) -> bytes:
        return fcntl.fcntl(self._file, command, struct.pack(_FLOCK, kind, os.SEEK_SET, byte, 1, 0))
