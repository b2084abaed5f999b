"""The lock that keeps a second daemon away from the file."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from aggregator.errors import StoreError, StoreLockedError

__all__ = ["FILE_MODE", "DaemonLock"]

FILE_MODE = 0o640  # of all files made here: the owner writes, the group reads; less where the umask says so


class DaemonLock:
    """An exclusive lock on a file beside the database at `path`, gone with the process that holds it.

    Not on the database itself: closing any descriptor of that drops the locks SQLite holds on it (POSIX).
    """

    def __init__(self, path: Path) -> None:
        self._database = path
        self._path = path.with_name(path.name + ".lock")
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take it. Raises StoreLockedError that names the process which holds it, StoreError when it cannot be made."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}; this user may not write there") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise StoreLockedError(
                f"{self._database}: in use by process {pid}; stop that first: only one may write"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Let the next one in; nothing when it is not held."""
        if self._fd is not None:
            with suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
