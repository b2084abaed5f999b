import sqlite3

import pytest

from aggregator.errors import StoreError, StoreTooNewError
from aggregator.store.connection import close_keeping_log, connect
from aggregator.store.migrations import migrate
from aggregator.store.reader import open_reader


@pytest.fixture
def path(tmp_path):
    """An empty database of this program, closed as the daemon closes it."""
    path = tmp_path / "a.db"
    connection = connect(path, "rwc", timeout_s=5)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection)
    close_keeping_log(connection, path)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "no such database"),
        (lambda p: p.mkdir(), "not a file"),
        (lambda p: p.write_text("I am no database, but a text of some length." * 99), "not an SQLite database"),
        (lambda p: sqlite3.connect(p).execute("CREATE TABLE t (x)").connection.close(), "not one of this program"),
    ],
    ids=["missing", "directory", "text", "foreign"],
)
def test_what_is_no_database_of_ours_is_refused(tmp_path, make, message):
    """A path that cannot be read as our database gives an error that names it and says what is wrong."""
    path = tmp_path / "x.db"
    make(path)
    with pytest.raises(StoreError, match=message) as caught:
        open_reader(path)
    assert str(path) in str(caught.value)


def test_a_newer_file_is_refused_untouched(path):
    """A file that a newer version wrote is refused by name, and not one byte of it changes."""
    connection = connect(path, "rw", timeout_s=5)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNewError, match="99"):
        open_reader(path)
    assert path.read_bytes() == before


def test_a_file_with_older_views_says_what_to_do(path):
    """After an update of the program, until the daemon has started, a reader gets one clear sentence, not a missing column."""
    connection = connect(path, "rw", timeout_s=5)
    connection.execute("UPDATE meta SET value = '0.9.4' WHERE key = 'schema_semver'")
    connection.execute("UPDATE meta SET value = 'others' WHERE key = 'views'")
    connection.close()
    with pytest.raises(StoreError, match="older version; the daemon brings it up to date"):
        open_reader(path)
    connection = connect(path, "rw", timeout_s=5)
    assert migrate(connection)
    connection.close()
    open_reader(path).close()


def test_an_empty_database_answers_everything(path):
    """Every method of the reader works on a database in which nothing is yet."""
    from datetime import UTC, datetime

    now = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)
    with open_reader(path) as reader:
        assert reader.item(1) is None
        assert reader.story(1) is None
        assert reader.why(1) is None
        assert reader.similar(1) == reader.timeline(1) == reader.feeds() == reader.changes(0) == []
        assert reader.stories(now, 10, country="FR", language="fr") == []
        assert reader.search("word 地震") == []
        assert reader.counts(now)["items"] == 0
        assert reader.next_due_at() is None
        assert reader.health(now)["newest"] == []
        assert "<opml" in reader.opml()


def test_a_query_that_writes_is_refused_at_once(path):
    """The reader never writes, whatever SQL it is given, and says so."""
    with open_reader(path) as reader, pytest.raises(StoreError, match="readonly"):
        reader.query("DELETE FROM items")


def test_another_file_put_in_its_place_is_read_from_then_on(path, tmp_path):
    """A reader that lives long follows a snapshot published by rename: it does not go on reading the old file."""
    with open_reader(path) as reader:
        assert reader.query("SELECT count(*) AS n FROM meta WHERE key = 'marker'")[0]["n"] == 0
        other = tmp_path / "other.db"
        with sqlite3.connect(path) as source, sqlite3.connect(other) as copy:
            source.backup(copy)
            copy.execute("INSERT INTO meta VALUES ('marker', 'second')")
        source.close()
        copy.close()
        other.replace(path)
        assert reader.query("SELECT value FROM meta WHERE key = 'marker'") == [{"value": "second"}]
        assert reader.use(lambda connection: connection.execute("SELECT 1").fetchone()[0]) == 1


def test_a_file_that_is_away_is_said_to_be_each_time_until_it_is_back(path, tmp_path):
    """While the file is moved away every question gets the same clear answer, and a right one once it is back."""
    with open_reader(path) as reader:
        path.rename(tmp_path / "away.db")
        for _ in range(3):
            with pytest.raises(StoreError, match="no such database"):
                reader.query("SELECT 1 AS n")
            with pytest.raises(StoreError, match="no such database"):
                list(reader.each("SELECT 1 AS n"))
        (tmp_path / "away.db").rename(path)
        assert reader.query("SELECT 1 AS n") == [{"n": 1}]
