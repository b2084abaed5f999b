"""The SQLite connection: how it is opened, its transactions, and the text forms of values."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from aggregator.errors import StoreDamagedError, StoreError

__all__ = [
    "APPLICATION_ID",
    "BUSY_TIMEOUT_S",
    "Store",
    "close_keeping_log",
    "connect",
    "explained",
    "marks",
    "remember",
]

APPLICATION_ID = 0x41474752  # "AGGR", in the file's header: what tells it from other programs' databases

BUSY_TIMEOUT_S = 10.0  # how long a writer waits for another one: their transactions are short

Parameters = Sequence[Any] | dict[str, Any]


def connect(path: Path, mode: str, *, timeout_s: float, immutable: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode whose rows have names. `mode` is SQLite's: ro, rw or rwc.

    The path ":memory:" is a database without a file. It may be used from any thread, one at a time. Raises sqlite3.Error.
    """
    if str(path) == ":memory:":
        mode = "memory"
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def explained(error: sqlite3.Error, path: Path) -> StoreError:
    """SQLite's error as one of ours, with the file and what to do."""
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary == sqlite3.SQLITE_NOTADB:
        return StoreError(f"{path}: not an SQLite database")
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT_VTAB:
        return StoreError(
            f"{path}: the full-text index differs from the items; `aggregator maintain --reindex` mends it"
        )
    if primary == sqlite3.SQLITE_CORRUPT:
        return StoreDamagedError(f"{path}: damaged: {error}; stop the daemon and restore a backup")
    if primary == sqlite3.SQLITE_FULL:
        return StoreError(f"{path}: no space left on the disk")
    return StoreError(f"{path}: {error}")


def close_keeping_log(connection: sqlite3.Connection, path: Path) -> None:
    """Close a writer so that users who may only read can go on reading: its -wal and -shm files stay, the log empty.

    SQLite deletes both when the last connection closes, and a reader who may not make them anew then cannot open the
    file at all. A read-only connection cannot delete them, so one is the last to go.
    """
    with closing(connect(path, "ro", timeout_s=1)) as last, closing(connection):
        last.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        with suppress(sqlite3.Error):  # a full disk, or a reader in the middle: the log stays for the next writer
            connection.execute("PRAGMA busy_timeout = 500")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


def marks(values: Sequence[Any]) -> str:
    """As many question marks as there are values, divided by commas."""
    return ",".join("?" * len(values))


def remember(db: sqlite3.Connection, states: Mapping[str, bytes]) -> None:
    """Store what parts of the program remember, by name; inside a transaction. `Store.load_state` reads it."""
    db.executemany(
        "INSERT INTO state VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", list(states.items())
    )


class Store:
    """A connection to the file at `path`, for any thread: calls wait for one another. Every error is a StoreError."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self.connection = connection
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the connection; the object cannot be used afterwards."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block, or nothing. Not to be nested."""
        with self._held():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # SQLite itself rolls back when the disk is full
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Every row of a query."""
        with self._held():
            return self.connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._held():
            found: sqlite3.Row | None = self.connection.execute(sql, parameters).fetchone()
            return found

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        found = self.row(sql, parameters)
        return None if found is None else found[0]

    def get_meta(self, key: str) -> str | None:
        """A fact about the file, or None."""
        value: str | None = self.value("SELECT value FROM meta WHERE key = ?", (key,))
        return value

    def load_state(self, name: str) -> bytes | None:
        """What `save_state` stored under this name, or None."""
        value: bytes | None = self.value("SELECT value FROM state WHERE name = ?", (name,))
        return value

    def save_state(self, name: str, value: bytes) -> None:
        """Store what a part of the program remembers between two runs."""
        with self.transaction() as db:
            remember(db, {name: value})

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Bring the write-ahead log into the file as far as readers let it; `truncate`: empty it when they do."""
        with self._held():
            self.connection.execute("PRAGMA busy_timeout = 200")  # it would wait for readers
            try:
                self.connection.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if truncate else 'PASSIVE'})").fetchall()
            finally:
                self.connection.execute(f"PRAGMA busy_timeout = {round(1000 * BUSY_TIMEOUT_S)}")

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise explained(error, self.path) from error
