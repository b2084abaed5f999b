"""The one writer: opens the file for a daemon, or beside one for a short change."""

import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from aggregator.config import primary_tag
from aggregator.errors import StoreDamagedError, StoreError, StoreTooNewError
from aggregator.models import iso
from aggregator.store.backups import backup_directory, newest_good_backup
from aggregator.store.checkpoints import Checkpointer
from aggregator.store.connection import APPLICATION_ID, BUSY_TIMEOUT_S, close_keeping_log, connect, explained
from aggregator.store.following import Following
from aggregator.store.fulltext import tune_indexes
from aggregator.store.judgements import Judgements
from aggregator.store.locking import FILE_MODE, DaemonLock
from aggregator.store.migrations import SCHEMA_VERSION, migrate, newer_than_code
from aggregator.store.names import country_names, flag, language_name, locale_of
from aggregator.store.polls import Polls

__all__ = ["Writer", "open_writer"]

_OWN_CHECKPOINT_PAGES = 8000  # 32 MB of log, at which a commit brings it into the file when the thread does not keep up
_CACHE_KIB = 64_000
_OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables
_LOG_BYTES = 64_000_000  # what is left of the log on the disk after a checkpoint


class Writer(Polls, Following, Judgements):
    """All that changes the file. From any thread: calls wait for one another. Every error is a StoreError."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: DaemonLock | None) -> None:
        super().__init__(connection, path)
        self._daemon_lock = lock
        self._closed = False
        self._checkpointer = Checkpointer(path) if lock else None
        if self._checkpointer:
            self.connection.execute(f"PRAGMA wal_autocheckpoint = {_OWN_CHECKPOINT_PAGES}")
            self._checkpointer.start()

    def close(self) -> None:
        """Close the file so that others can go on reading it, and let the next daemon in. Once more does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._checkpointer:
            self._checkpointer.stop()
        with self._held():
            close_keeping_log(self.connection, self.path)
        if self._daemon_lock:
            self._daemon_lock.release()


def open_writer(
    path: Path,
    *,
    now: datetime,
    synchronous: str = "normal",
    reader_language: str = "en",
    daemon: bool = True,
    backups: Path | None = None,
) -> Writer:
    """Open the database for writing; make it, with its folder, when there is none, and bring an older one up to date.

    `daemon` takes an exclusive lock, held until `close`, and checks the file for damage; without it a short change is
    written beside a daemon that may run. Countries are named in `reader_language`, a language tag. `synchronous` is SQLite's: normal or full. `backups` is the folder of backups,
    by default the one next to the file.

    Raises StoreLockedError (another daemon runs; names its process), StoreTooNewError (a newer version wrote the file:
    not one byte is changed), StoreDamagedError (names the newest good backup; nothing is changed), StoreError.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(f"this Python has SQLite {sqlite3.sqlite_version}; 3.37 or later is needed")
    backups = backups or backup_directory(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path.parent}: {error.strerror}") from error
    lock = DaemonLock(path)
    try:
        if daemon:
            lock.acquire()
        connection = _open(path, lock, backups, daemon=daemon, synchronous=synchronous, now=now)
        writer = Writer(connection, path, lock if daemon else None)
        named = writer.get_meta("reader_locale")
        writer.reader_locale = reader_language if daemon else named or reader_language
        writer.reader_language = primary_tag(writer.reader_locale)
        if named != writer.reader_locale:
            _name_places(writer)
    except BaseException:
        lock.release()
        raise
    return writer


def _open(
    path: Path, lock: DaemonLock, backups: Path, *, daemon: bool, synchronous: str, now: datetime
) -> sqlite3.Connection:
    new = _make_file(path, backups)
    connection = None
    try:
        if not new:
            _check(path, backups, thoroughly=daemon)
        connection = connect(path, "rw", timeout_s=BUSY_TIMEOUT_S)
        _prepare(connection, synchronous)
        outdated = connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION
        if outdated and not daemon:
            lock.acquire()  # a daemon that runs has another version's code
        if outdated or daemon:
            migrate(connection)
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('created_at', ?)", (iso(now),))
            tune_indexes(connection)
        if outdated and not daemon:
            lock.release()
    except BaseException as error:
        if connection is not None:
            connection.close()
        if not isinstance(error, sqlite3.Error):
            raise
        found = explained(error, path)
        broken = isinstance(found, StoreDamagedError)
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:  # a header that was overwritten, or a text
            broken = newest_good_backup(backups, path.stem) is not None
        raise (_damaged(path, str(error), backups) if broken else found) from error
    return connection


def _check(path: Path, backups: Path, *, thoroughly: bool) -> None:
    """Refuse a file that is not to be written, by a connection that leaves it and its log as they are."""
    with closing(connect(path, "ro", timeout_s=BUSY_TIMEOUT_S)) as reading:
        _refuse_foreign(reading, path)
        found = reading.execute("PRAGMA quick_check(1)").fetchone()[0] if thoroughly else "ok"
    if found != "ok":
        raise _damaged(path, str(found).splitlines()[-1], backups)


def _make_file(path: Path, backups: Path) -> bool:
    """Make an empty file when there is none; True when it is empty. Raises StoreError, StoreDamagedError."""
    try:
        if path.exists():
            if not path.is_file():
                raise StoreError(f"{path}: not a file")
            if not os.access(path, os.R_OK | os.W_OK):
                raise StoreError(f"{path}: this user may not write it")
            if path.stat().st_size:
                return False
            if newest_good_backup(backups, path.stem):
                raise _damaged(path, "it is empty", backups)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    return True


def _prepare(connection: sqlite3.Connection, synchronous: str) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of effect in a new file only
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if synchronous == 'full' else 'NORMAL'}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreError for another program's database, StoreTooNewError for a newer version's."""
    identity = connection.execute("PRAGMA application_id").fetchone()[0]
    if identity != APPLICATION_ID and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise StoreError(f"{path}: a database, but not one of this program")
    unknown = newer_than_code(connection)
    if unknown:
        raise StoreTooNewError(
            f"{path}: written by a newer version of this program ({unknown}); it was left untouched: update the program"
        )


def _damaged(path: Path, what: str, backups: Path) -> StoreDamagedError:
    good = newest_good_backup(backups, path.stem)
    way = (
        f"the newest good backup is {good}: `aggregator restore {good}`"
        if good
        else f"there is no good backup in {backups}; `sqlite3 {path} .recover` may save a part"
    )
    return StoreDamagedError(f"{path}: damaged ({what}); nothing was changed. {way}")


def _name_places(writer: Writer) -> None:
    """Name countries and languages in the reader's language."""
    locale = locale_of(writer.reader_locale)
    with writer.transaction() as db:
        countries = [("", "", ""), *((code, name, flag(code)) for code, name in country_names(locale).items())]
        db.executemany(
            "INSERT INTO countries VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name", countries
        )
        codes = ["", *(row[0] for row in db.execute("SELECT code FROM languages WHERE code <> ''"))]
        db.executemany(
            "INSERT INTO languages VALUES (?, ?) ON CONFLICT DO UPDATE SET name = excluded.name",
            [(code, language_name(code, locale)) for code in codes],
        )
        db.executemany(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [("reader_language", writer.reader_language), ("reader_locale", writer.reader_locale)],
        )
