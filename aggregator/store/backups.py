"""Copies of the file: backups that rotate, a way back, and a published snapshot."""

import json
import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from aggregator.errors import StoreDamagedError, StoreError
from aggregator.store.connection import APPLICATION_ID, connect, explained
from aggregator.store.locking import DaemonLock

__all__ = ["backup", "backup_directory", "backup_due", "backup_to", "newest_good_backup", "restore", "snapshot"]

_BUSY_TIMEOUT_S = 30.0
_IDS_AHEAD = 10_000_000  # more than are given between two backups
_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<database>.+)-(?P<time>[0-9]{8}T[0-9]{6}Z)\.db")


def backup_directory(path: Path) -> Path:
    """Where backups of the database at `path` are when the configuration names no folder: `backups` next to it."""
    return path.parent / "backups"


def backup(path: Path, directory: Path, keep: int, *, now: datetime) -> Path:
    """Copy the database while it may be written to; verify the copy; keep the newest `keep`. The copy's path.

    The copy is whole or not there: it is made under another name, checked with integrity_check, synced to the disk and
    renamed. The writer is not held up; its log cannot shrink meanwhile. Raises StoreError.
    """
    target = backup_to(path, directory / f"{path.stem}-{now:{_TIME}}.db")
    for old in _copies(directory, path.stem)[max(1, keep) :]:
        old.unlink(missing_ok=True)
    return target


def backup_to(path: Path, target: Path) -> Path:
    """One such copy under a name of your choice; replaces what is there. Raises StoreError."""
    _refuse_itself(path, target)
    _copy(path, target, check=True)
    return target


def backup_due(directory: Path, every: timedelta, *, now: datetime, database: str | None = None) -> bool:
    """Whether the newest backup in the folder is older than `every`, by the time in its name, or there is none.

    Of the database of that name (without `.db`); None: of any.
    """
    found = _copies(directory, database)
    return not found or _time_of(found[0]) <= f"{now - every:{_TIME}}"


def snapshot(path: Path, target: Path) -> None:
    """Publish a consistent copy that stands alone, without a -wal file: for rsync, NFS, web servers.

    Replaces `target` in one step: who reads the old one goes on reading the old one. Raises StoreError.
    """
    _refuse_itself(path, target)
    _copy(path, target, check=False)


def newest_good_backup(directory: Path, database: str | None = None) -> Path | None:
    """The newest backup in the folder that passes quick_check, or None; of the database of that name (without `.db`)."""
    return next((path for path in _copies(directory, database) if _is_good(path)), None)


def restore(source: Path, path: Path) -> Path | None:
    """Put a backup in the place of the database; no daemon may run.

    What was there is kept beside it, under the path that is returned (None: there was nothing). Killed at any point,
    there is a whole database in the place. Ids of items, stories and changes go on far above those in the backup, and a
    change of kind `restored` tells followers. Raises StoreLockedError, StoreDamagedError when the backup is not good,
    StoreError; the database is as it was then.
    """
    if not source.is_file():
        raise StoreError(f"{source}: no such file")
    if not _is_good(source):
        raise StoreDamagedError(f"{source}: not a whole database of this program; nothing was changed")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with DaemonLock(path):
            fresh = path.with_name(f".{path.name}.restored")
            shutil.copyfile(source, fresh)
            shutil.copymode(path if path.exists() else source, fresh)
            _go_on(fresh, source.name)
            _sync(fresh)
            aside = _set_aside(path) if path.exists() else None
            fresh.replace(path)
            _sync(path.parent)
    except sqlite3.Error as error:
        raise explained(error, source) from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    return aside


def _copies(directory: Path, database: str | None) -> list[Path]:
    """The backups in the folder, newest first: other databases, such as `news-eu` beside `news`, may keep theirs there too."""
    named = [(path, _NAME.fullmatch(path.name)) for path in directory.glob("*.db")]
    found = [path for path, name in named if name and database in (None, name["database"])]
    return sorted(found, key=_time_of, reverse=True)


def _time_of(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _go_on(path: Path, name: str) -> None:
    """Leave out the ids that may have been given after the backup: others may have noted them."""
    with closing(connect(path, "rw", timeout_s=0)) as db:
        db.execute("BEGIN")
        db.execute("UPDATE sqlite_sequence SET seq = seq + ?", (_IDS_AHEAD,))
        db.execute(
            "INSERT INTO changes (at, kind, detail) VALUES (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), 'restored', ?)",
            (json.dumps({"backup": name}),),
        )
        db.execute("COMMIT")


def _refuse_itself(path: Path, target: Path) -> None:
    if target.exists() and path.exists() and target.samefile(path):
        raise StoreError(f"{target}: that is the database itself; choose another path for the copy")


def _set_aside(path: Path) -> Path:
    """Give the old file a second name and take its log along; the name."""
    names = (path.with_name(f"{path.name}.before-restore{n or ''}") for n in count())
    aside = next(name for name in names if not name.exists())
    try:
        os.link(path, aside)
    except OSError:  # a file system without hard links
        shutil.copy2(path, aside)
    log = path.with_name(path.name + "-wal")
    if log.exists():
        log.replace(aside.with_name(aside.name + "-wal"))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    return aside


def _copy(path: Path, target: Path, *, check: bool) -> None:
    """A consistent copy in rollback mode, by SQLite's backup API, in one step: a step sees one state of the file."""
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        part.touch(0o600)
        with closing(connect(path, "ro", timeout_s=_BUSY_TIMEOUT_S)) as source:
            with closing(connect(part, "rw", timeout_s=0)) as copy:
                copy.execute("PRAGMA synchronous = OFF")  # synced below, once
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
                found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0] if check else "ok"
            if found != "ok":
                raise StoreDamagedError(
                    f"{path}: the copy is damaged ({found}), so the database is too; nothing was replaced"
                )
        shutil.copymode(path, part)
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    except sqlite3.Error as error:
        raise explained(error, path) from error
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror}") from error
    finally:
        with suppress(OSError):  # such as a folder that is none: said above
            part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _is_good(path: Path) -> bool:
    try:
        with closing(connect(path, "ro", timeout_s=5)) as db:
            ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
            return bool(ours and db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.Error:
        return False
