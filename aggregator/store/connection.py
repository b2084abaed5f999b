"""The SQLite connection: how it is opened, its transactions, and the text forms of values."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from aggregator.errors import StoreError

__all__ = ["APPLICATION_ID", "Store", "close_keeping_log", "connect", "marks"]

APPLICATION_ID = 0x41474752  # "AGGR", in the file's header: what tells it from other programs' databases

Parameters = Sequence[Any] | dict[str, Any]


def connect(path: Path, mode: str, *, timeout_s: float, immutable: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode whose rows have names. `mode` is SQLite's: ro, rw or rwc.

    It may be used from any thread, one at a time. Raises sqlite3.Error.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


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


class Store:
    """What reader and writer have in common: one connection to the file at `path`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self.connection = connection

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
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def rows(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """Every row of a query, by column name."""
        return [dict(row) for row in self.connection.execute(sql, parameters)]

    def row(self, sql: str, parameters: Parameters = ()) -> dict[str, Any] | None:
        """The first row of a query, or None."""
        found = self.connection.execute(sql, parameters).fetchone()
        return None if found is None else dict(found)

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        found = self.connection.execute(sql, parameters).fetchone()
        return None if found is None else found[0]

    def get_meta(self, key: str) -> str | None:
        """A fact about the file, or None."""
        value: str | None = self.value("SELECT value FROM meta WHERE key = ?", (key,))
        return value

    def read_only_copy(self) -> sqlite3.Connection:
        """Another, read-only connection to the same file. Raises StoreError."""
        try:
            return connect(self.path, "ro", timeout_s=5)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from None
