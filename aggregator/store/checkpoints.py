"""The write-ahead log is brought into the file beside the writer, so that no poll waits for the disk."""

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

from aggregator.store.connection import connect

__all__ = ["Checkpointer"]

_EVERY_S = 1.0
_WORTH_BYTES = 4_000_000  # of log: pages that are written again and again are brought over once


class Checkpointer(threading.Thread):
    """Once a second looks at the log of the database at `path` and empties it into the file when it has grown.

    On a connection of its own and in passive mode: neither writer nor readers wait for it. What fails is tried again: the
    disk may be full, and the log holds everything meanwhile.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(name="checkpoint", daemon=True)
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._stop_now = threading.Event()

    def run(self) -> None:
        """Work until `stop`."""
        with suppress(sqlite3.Error), closing(connect(self._path, "rw", timeout_s=0)) as db:
            while not self._stop_now.wait(_EVERY_S):
                with suppress(OSError, sqlite3.Error):
                    if self._log.stat().st_size > _WORTH_BYTES:
                        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def stop(self) -> None:
        """End the thread; its connection is closed then."""
        self._stop_now.set()
        if self.ident is not None:
            self.join()
