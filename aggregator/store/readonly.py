"""Access to the file for those who may only read it, whatever a daemon does with it meanwhile."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

from aggregator.errors import StoreError, StoreTooNewError
from aggregator.store.connection import APPLICATION_ID, Parameters, connect, explained
from aggregator.store.migrations import newer_than_code, older_than_code

__all__ = ["ReadOnly", "Row"]

Row = dict[str, Any]
T = TypeVar("T")

_BUSY_TIMEOUT_S = 10.0  # a reader waits for the writer only while that one recovers the log after a crash
_ATTEMPTS = 8


class ReadOnly:
    """Read-only access to one database file. From any thread, one at a time. Every method raises StoreError."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`."""
        self.path = path
        self._frozen: tuple[int, ...] | None = None  # what the file looked like when it was opened as immutable
        # Which file is open: a rename may put another one in its place.
        self._file: tuple[int, ...] | None = self._identity()
        self._connection = self._open()

    def close(self) -> None:
        """Close the connection; the object cannot be used afterwards."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- any query ----------------------------------------------------------------------------------------------

    def query(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row of a query, each by column name."""
        try:
            return self.use(lambda connection: [dict(row) for row in connection.execute(sql, parameters)])
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def use(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """What `ask` makes of the connection: the way for a library that wants it bare. It must not keep the connection.

        `ask` is called again, with a new connection, when the file changed hands meanwhile. Unlike the other methods it
        raises sqlite3.Error as it comes.
        """
        for attempt in range(_ATTEMPTS):
            if self._file != self._identity():
                self._reopen()
            try:
                answer = ask(self._connection)
            except sqlite3.Error as error:
                if not _passing(error) or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.02 * 2**attempt)  # a writer starts or recovers: it is over in a moment
            else:
                if self._frozen in (None, self._looks()):
                    return answer
            self._reopen()
        raise StoreError(f"{self.path}: it keeps changing in a way that cannot be followed; is the directory writable?")

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a query one after the other, all of one moment, however many they are."""
        if self._frozen not in (None, self._looks()) or self._file != self._identity():
            self._reopen()
        try:
            for row in self._connection.execute(sql, parameters):
                yield dict(row)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        if self._frozen not in (None, self._looks()):
            raise StoreError(f"{self.path}: a daemon began to write to it while it was read; try again")

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None."""
        return next(iter(self.query(sql, parameters)), None)

    # --- opening ------------------------------------------------------------------------------------------------

    def _reopen(self) -> None:
        self._connection.close()
        # Looked at before it is opened: replaced in between, it is opened once more. `()` is no file's identity, not even
        # that of a missing one: if it cannot be opened now, the closed connection is not used when asked again.
        self._file, file = (), self._identity()
        self._connection = self._open()
        self._file = file

    def _open(self) -> sqlite3.Connection:
        """A connection that has read from the file.

        A file in WAL mode without its -wal and -shm files can be read only by who may create them. Whoever may not, and
        finds none, opens it as immutable: no process writes to it then, for a writer would have made those files. That
        this stays so is checked after every query.
        """
        self._refuse_unreadable()
        for attempt in range(_ATTEMPTS):
            self._frozen = None
            try:
                return self._checked(connect(self.path, "ro", timeout_s=_BUSY_TIMEOUT_S))
            except sqlite3.Error as error:
                if not _passing(error):
                    raise explained(error, self.path) from error
            looks = self._looks()
            if not self._log().exists():
                try:
                    connection = self._checked(connect(self.path, "ro", timeout_s=0, immutable=True))
                except sqlite3.Error as error:
                    raise explained(error, self.path) from error
                self._frozen = looks
                return connection
            time.sleep(0.02 * 2**attempt)
        raise StoreError(f"{self.path}: cannot be opened while another process recovers it; try again")

    def _log(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    def _identity(self) -> tuple[int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return (stat.st_dev, stat.st_ino)

    def _looks(self) -> tuple[int, ...]:
        """What differs after a writer was there: the file's identity, size and time, and whether there is a log."""
        try:
            stat = self.path.stat()
        except OSError:
            return ()
        return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, self._log().exists())

    def _refuse_unreadable(self) -> None:
        # Not by opening it: closing that would release the locks that this process's other connections hold (POSIX).
        try:
            found = self.path.exists()
        except OSError as error:  # a folder on the way that this user may not enter
            raise StoreError(f"{self.path}: {error.strerror}; add the user to the group of the database") from error
        if not found:
            raise StoreError(f"{self.path}: no such database; the daemon makes it when it starts")
        if not self.path.is_file():
            raise StoreError(f"{self.path}: not a file")
        if not os.access(self.path, os.R_OK):
            raise StoreError(f"{self.path}: this user may not read it; add the user to the file's group")

    def _checked(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{self.path}: a database, but not one of this program")
        unknown = newer_than_code(connection)
        if unknown:
            raise StoreTooNewError(f"{self.path}: written by a newer version of this program ({unknown}); update it")
        if older_than_code(connection):
            raise StoreError(
                f"{self.path}: written by an older version; the daemon brings it up to date when it starts"
            )


def _passing(error: sqlite3.Error) -> bool:
    """Whether opening the file again may help: files of a writer that starts, stops, or recovers after a crash."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_READONLY:  # without a more precise code it means: the query wants to write
        return False
    primary = code & 0xFF
    return primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL)
