import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from aggregator.store.migrations import SCHEMA_VERSION, migrate
from aggregator.store.writer import open_writer

from .conftest import NOW

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/store/migrate_kill.py"
ITEMS = 20_000


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A database of some 20 MB."""
    path = tmp_path_factory.mktemp("big") / "big.db"
    with open_writer(path, now=NOW) as writer, writer.transaction() as db:
        db.execute("INSERT INTO outlets VALUES (1, 'O', '')")
        db.execute(
            "INSERT INTO feeds (feed_id, outlet_id, url, language, source, added_at) VALUES (1, 1, 'u', '', 'cli', '2026')"
        )
        db.execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT ?) "
            "INSERT INTO items (outlet_id, feed_id, language, published_at, date_source, first_seen_at, title, summary, url, "
            "canonical_url, author, image_url, tags, published_raw, content_hash, title_key, title_hash) "
            "SELECT 1, 1, '', '2026-02-25T06:23:00Z', 'feed', '2026-02-25T06:23:00Z', 'Title ' || n, hex(randomblob(300)), 'u' || n, "
            "'u' || n, '', '', '', '', 'h', '', n FROM n",
            (ITEMS,),
        )
    return path


def facts(path):
    """What a migration would change."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(items)")]
        count, edited = db.execute("SELECT count(*), count(updated_at) FROM items").fetchone()
        version = db.execute("PRAGMA user_version").fetchone()[0]
        healthy = db.execute("PRAGMA integrity_check").fetchone()[0]
    return {"version": version, "new column": "extra" in columns, "items": count, "edited": edited, "check": healthy}


def test_kill_9_in_a_migration_leaves_the_file_as_it_was(big):
    """Killed at any moment of a migration's transaction the file is as before it; the next start goes through with it."""
    before = facts(big)
    assert before == {"version": SCHEMA_VERSION, "new column": False, "items": ITEMS, "edited": 0, "check": "ok"}
    after = {**before, "version": SCHEMA_VERSION + 1, "new column": True, "edited": ITEMS}
    taken = {
        **after,
        "version": SCHEMA_VERSION,
    }  # the step is committed; the views and the number come in the next transaction
    for wait in (0.0, 0.05, 0.2, "done"):
        child = subprocess.Popen([sys.executable, SCRIPT, "--child", big], stdout=-1, text=True)
        assert child.stdout.readline() == "begun\n"
        if wait == "done":
            child.communicate()  # this one is let through
        else:
            time.sleep(wait)
            child.kill()
            child.communicate()
            assert facts(big) in (before, taken, after)
            if facts(big) != before:  # a quick machine: the step was committed before the kill; a start does the rest
                subprocess.run([sys.executable, SCRIPT, "--child", big], check=True)
                break
    assert facts(big) == after


def test_a_failing_step_changes_nothing(tmp_path, monkeypatch):
    """A step that raises leaves no trace of itself, and the steps before it stay."""
    from aggregator.store import migrations

    path = tmp_path / "a.db"
    open_writer(path, now=NOW).close()

    class Step:
        name = "m998_fails"
        transactional = True

        @staticmethod
        def fn(db):
            db.conn.execute("CREATE TABLE half (x)")
            raise RuntimeError("half way")

    monkeypatch.setattr(migrations.MIGRATIONS, "_migrations", [*migrations.MIGRATIONS._migrations, Step])
    with closing(migrations_connection(path)) as db:
        with pytest.raises(RuntimeError, match="half way"):
            migrate(db)
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone()[0] == 0
        assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION


def migrations_connection(path):
    """A connection as the program opens it."""
    from aggregator.store.connection import connect

    return connect(path, "rw", timeout_s=5)


def test_every_table_is_strict(tmp_path):
    """No table of ours takes a value of a type that its column does not name."""
    path = tmp_path / "a.db"
    open_writer(path, now=NOW).close()
    with closing(migrations_connection(path)) as db:
        tables = db.execute(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        ).fetchall()
    ours = {t["name"]: t["strict"] for t in tables if not t["name"].startswith(("sqlite_", "_sqlite_"))}
    assert len(ours) > 15
    assert {name for name, strict in ours.items() if not strict} == set()


def test_what_may_be_deleted_is_found_by_its_children(tmp_path):
    """Deleting an item or a story looks up each table that refers to it by an index, never by reading all of it."""
    path = tmp_path / "a.db"
    open_writer(path, now=NOW).close()
    with closing(migrations_connection(path)) as db:
        missing = []
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            for key in db.execute(f"PRAGMA foreign_key_list({table})").fetchall():
                if key["table"] in ("items", "stories"):
                    found = db.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE {key['from']} = 1").fetchall()  # noqa: S608
                    missing += [(table, key["from"]) for step in found if step["detail"].startswith("SCAN")]
    assert missing == []


def test_views_follow_the_program(tmp_path):
    """A view that differs from the program's is made anew at the daemon's start, without a step of the schema's history."""
    path = tmp_path / "a.db"
    open_writer(path, now=NOW).close()
    with closing(migrations_connection(path)) as db:
        right = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'top_stories'").fetchone()[0]
        db.execute("DROP VIEW top_stories")
        db.execute("CREATE VIEW top_stories AS SELECT 1 AS old")
        db.execute("UPDATE meta SET value = 'of an older program' WHERE key = 'views'")
    open_writer(path, now=NOW).close()
    with closing(migrations_connection(path)) as db:
        assert db.execute("SELECT sql FROM sqlite_schema WHERE name = 'top_stories'").fetchone()[0] == right


def test_migrating_twice_does_nothing(tmp_path):
    """A file that is up to date is not written to."""
    path = tmp_path / "a.db"
    open_writer(path, now=NOW).close()
    with closing(migrations_connection(path)) as db:
        before = db.execute("PRAGMA data_version").fetchone()[0], db.total_changes
        assert migrate(db) is False
        assert (db.execute("PRAGMA data_version").fetchone()[0], db.total_changes) == before
