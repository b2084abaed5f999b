"""The schema's history: named steps, each in one transaction, never edited once released; the views last."""

import hashlib
import sqlite3
from collections.abc import Iterator
from importlib.resources import files

import sqlite_utils
from sqlite_utils.migrations import Migrations

from aggregator.store.connection import APPLICATION_ID

__all__ = ["SCHEMA_SEMVER", "SCHEMA_VERSION", "migrate", "newer_than_code", "older_than_code", "statements"]

MIGRATIONS = Migrations("aggregator")
SCHEMA_SEMVER = "1.0.0"  # of the views: the contract with readers


@MIGRATIONS()
def m001_tables(db: sqlite_utils.Database) -> None:
    """All tables of the first release."""
    run_script(db.conn, "m001_tables.sql")


@MIGRATIONS()
def m002_judge(db: sqlite_utils.Database) -> None:
    """What a judge of uncertain pairs is asked, and what it says: its verdicts must outlast a restart."""
    run_script(db.conn, "m002_judge.sql")


SCHEMA_VERSION = len(MIGRATIONS._migrations)  # noqa: SLF001  PRAGMA user_version: how many steps were taken


def migrate(connection: sqlite3.Connection) -> bool:
    """Take the steps that are missing, and make the views anew when they are others; True when anything was to be done.

    A step that is interrupted, by kill -9 too, leaves the file as it was before it.
    """
    db = sqlite_utils.Database(connection)
    views_sql = "\n".join(statements("views.sql"))
    views = hashlib.sha256(views_sql.encode()).hexdigest()
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not MIGRATIONS.pending(db) and version == SCHEMA_VERSION and _fact(connection, "views") == views:
        return False
    MIGRATIONS.apply(db)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for name in _view_names(views_sql):
            connection.execute(f"DROP VIEW IF EXISTS {name}")
        run_script(connection, "views.sql")
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [("schema_semver", SCHEMA_SEMVER), ("views", views)],
        )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return True


def newer_than_code(connection: sqlite3.Connection) -> str | None:
    """What in the file this version of the program does not know: a step's name or the schema's number; else None."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    ours = {migration.name for migration in MIGRATIONS._migrations}  # noqa: SLF001
    strange = [m.name for m in MIGRATIONS.applied(sqlite_utils.Database(connection)) if m.name not in ours]
    if strange:
        return strange[-1]
    return f"schema version {version}" if version > SCHEMA_VERSION else None


def older_than_code(connection: sqlite3.Connection) -> bool:
    """Whether tables or views are of an older version of this program, so that columns may be missing."""
    made = _fact(connection, "schema_semver") or "0.0.0"
    return connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION or _minor(made) < _minor(
        SCHEMA_SEMVER
    )


def _minor(semver: str) -> tuple[int, ...]:
    """(major, minor): a patch adds no column."""
    return tuple(map(int, semver.split(".")[:2]))


def statements(name: str) -> Iterator[str]:
    """The statements of one SQL file of this package, their comments with them."""
    text = (files("aggregator.store") / "sql" / name).read_text(encoding="utf-8")
    statement = ""
    for line in text.splitlines(keepends=True):
        if not statement and (not line.strip() or line.startswith("--")):
            continue
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def run_script(connection: sqlite3.Connection, name: str) -> None:
    """Execute an SQL file inside the transaction that is open; `executescript` would commit it."""
    for statement in statements(name):
        connection.execute(statement)


def _fact(connection: sqlite3.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def _view_names(sql: str) -> list[str]:
    return [line.split()[2] for line in sql.splitlines() if line.startswith("CREATE VIEW ")]
