import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aggregator.config import primary_tag
from aggregator.errors import StoreDamagedError, StoreError, StoreLockedError, StoreTooNewError
from aggregator.models import FeedSpec
from aggregator.parsing.language import primary as parsing_primary
from aggregator.store.backups import backup
from aggregator.store.connection import connect
from aggregator.store.reader import open_reader
from aggregator.store.writer import open_writer

from .conftest import NOW, SPECS, make_item


def test_a_new_file_is_made_with_its_folder(path):
    """Opening makes folder and file, readable by the group and by nobody else, with countries named in the reader's language."""
    before = os.umask(0o022)
    try:
        with open_writer(path, now=NOW, reader_language="lv") as writer:
            assert writer.get_meta("created_at") == "2026-02-25T06:23:00Z"
    finally:
        os.umask(before)
    for name in ("", "-wal", "-shm", ".lock"):
        assert stat.S_IMODE(path.with_name(path.name + name).stat().st_mode) == 0o640, name
    with open_reader(path) as reader:
        assert reader.query("SELECT name, flag FROM countries WHERE code = 'EE'") == [
            {"name": "Igaunija", "flag": "🇪🇪"}
        ]


def test_another_reader_language_renames(path):
    """Places are renamed when the setting changes; a short change beside the daemon does not rename them."""
    open_writer(path, now=NOW, reader_language="lv").close()
    open_writer(path, now=NOW, reader_language="en", daemon=False).close()
    with open_reader(path) as reader:
        assert reader.query("SELECT name FROM countries WHERE code = 'LV'") == [{"name": "Latvija"}]
    open_writer(path, now=NOW, reader_language="de").close()
    with open_reader(path) as reader:
        assert reader.query("SELECT name FROM countries WHERE code = 'LV'") == [{"name": "Lettland"}]


def test_a_variant_of_a_language_names_places_and_matches_items(path):
    """Places are named as `pt-BR` does; what is compared with items is `pt`, for `nn` it is `no`, as the parser tags them."""
    for tag, primary in (("pt-BR", "pt"), ("pt-PT", "pt"), ("nn", "no"), ("zh-Hant", "zh")):
        open_writer(path, now=NOW, reader_language=tag).close()
        with open_reader(path) as reader:
            assert reader.query("SELECT value FROM meta WHERE key = 'reader_language'") == [{"value": primary}]
            name = reader.query("SELECT name FROM countries WHERE code = 'EE'")[0]["name"]
        assert name == {"pt-BR": "Estônia", "pt-PT": "Estónia", "nn": "Estland", "zh-Hant": "愛沙尼亞"}[tag]
        assert primary_tag(tag) == primary == parsing_primary(tag)


def test_a_second_daemon_is_refused_by_name(path):
    """A second daemon gets an error with the first one's process id, also from another process; it may start after it."""
    with open_writer(path, now=NOW):
        with pytest.raises(StoreLockedError, match=str(os.getpid())):
            open_writer(path, now=NOW)
        code = (
            "import sys; from datetime import *; from pathlib import Path\n"
            "from aggregator.errors import StoreLockedError; from aggregator.store.writer import open_writer\n"
            "try: open_writer(Path(sys.argv[1]), now=datetime.now(UTC))\n"
            "except StoreLockedError as error: print(error)"
        )
        said = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
        assert str(path) in said
        assert str(os.getpid()) in said
    open_writer(path, now=NOW).close()


def test_a_killed_daemon_leaves_no_lock(path):
    """The lock goes with its process: after kill -9 the next daemon starts, and what was committed is there."""
    code = (
        "import os, sys, signal; from datetime import *; from pathlib import Path\n"
        "from aggregator.models import FeedSpec; from aggregator.store.writer import open_writer\n"
        "writer = open_writer(Path(sys.argv[1]), now=datetime.now(UTC))\n"
        "writer.add_feed(FeedSpec('https://a.example/rss', 'A'), now=datetime.now(UTC))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -9
    with open_writer(path, now=NOW) as writer:
        assert writer.feed("https://a.example/rss") is not None


def test_a_short_change_beside_the_daemon(path, writer):
    """`daemon=False` writes while a daemon has the file open; the daemon sees it."""
    with open_writer(path, now=NOW, daemon=False) as other:
        other.add_feed(FeedSpec("https://new.example/rss", "New"), now=NOW)
    assert writer.feed("https://new.example/rss").spec.outlet == "New"


def test_a_newer_file_is_refused_untouched(path):
    """A file of a newer version is refused, by number or by a step's name, and neither it nor its log changes."""
    open_writer(path, now=NOW).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNewError, match="99"):
        open_writer(path, now=NOW)
    with pytest.raises(StoreTooNewError, match="99"):
        open_writer(path, now=NOW, daemon=False)
    assert path.read_bytes() == before


def test_a_step_of_a_newer_version_is_refused_with_its_log(path):
    """A newer version's step that stands in the log only is found too, and the log is not brought into the file."""
    open_writer(path, now=NOW).close()
    code = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1])\n"
        "db.execute(\"INSERT INTO _sqlite_migrations VALUES ('aggregator', 'm042_marvels', '2027-01-01')\")\n"
        "db.commit(); os._exit(0)"
    )
    columns = [r[1] for r in sqlite3.connect(path).execute("PRAGMA table_info(_sqlite_migrations)")]
    if columns[0] != "migration_set":
        code = code.replace("VALUES", "(migration_set, name, applied_at) VALUES")
    subprocess.run([sys.executable, "-c", code, path], check=True)
    log = path.with_name(path.name + "-wal")
    before = path.read_bytes(), log.read_bytes()
    with pytest.raises(StoreTooNewError, match="m042_marvels"):
        open_writer(path, now=NOW)
    assert (path.read_bytes(), log.read_bytes()) == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.mkdir(), "not a file"),
        (lambda p: p.write_text("I am no database, but a text of some length." * 99), "not an SQLite database"),
        (lambda p: sqlite3.connect(p).execute("CREATE TABLE t (x)").connection.close(), "not one of this program"),
    ],
    ids=["directory", "text", "foreign"],
)
def test_what_is_not_ours_is_refused(tmp_path, make, message):
    """A path that is no database of ours gives an error that names it, and stays as it is."""
    path = tmp_path / "x.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=message) as caught:
        open_writer(path, now=NOW)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def damage(path):
    """Overwrite the middle of the file, the schema's page left whole."""
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xa5" * 4096 * 20)


@pytest.mark.parametrize("with_backup", [True, False])
def test_damage_is_found_at_start(path, with_backup):
    """A damaged file stops the daemon with a message that names the newest good backup, and is not written to."""
    with open_writer(path, now=NOW) as writer:
        writer.sync_feeds(SPECS, now=NOW)
    good = backup(path, path.parent / "backups", 3, now=NOW) if with_backup else None
    if good:
        later = good.with_name("aggregator-20260301T000000Z.db")
        later.write_bytes(good.read_bytes())
        damage(later)
        good.with_name("other-20260401T000000Z.db").write_bytes(good.read_bytes())
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreDamagedError, match="restore" if with_backup else "no good backup") as caught:
        open_writer(path, now=NOW)
    assert (str(good) in str(caught.value)) == with_backup
    assert path.read_bytes() == before


def test_an_emptied_file_is_damage_when_there_are_backups(path):
    """A file of no bytes where backups exist is not silently begun anew."""
    open_writer(path, now=NOW).close()
    backup(path, path.parent / "backups", 3, now=NOW)
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink()
    path.write_bytes(b"")
    with pytest.raises(StoreDamagedError, match="it is empty"):
        open_writer(path, now=NOW)


def test_the_log_is_brought_over_beside_the_writer(desk):
    """The log's content reaches the file within seconds with no checkpoint of the writer's own, and the log begins anew."""
    path = desk.writer.path
    before = path.stat().st_size
    for n in range(300):
        desk.poll(SPECS[0].url, make_item(n, f"Story number {n}", body=f"text {n} " * 2500))
    for _ in range(100):
        if path.stat().st_size > before + 4_000_000:
            break
        threading.Event().wait(0.1)
    assert path.stat().st_size > before + 4_000_000
    assert path.with_name(path.name + "-wal").stat().st_size < 40_000_000


def test_memory_makes_no_file(tmp_path, monkeypatch):
    """The path :memory: is a database of its own without a file."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        db = connect(Path(":memory:"), "rwc", timeout_s=0)
        db.execute("CREATE TABLE t (x)")
        db.close()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_loses_nothing(path, desk):
    """When the file cannot grow, the poll's transaction fails as a whole with a clear error; later it succeeds."""
    db = desk.writer.connection
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    items = [make_item(n, f"A story number {n}", body="word " * 4000) for n in range(40)]
    with pytest.raises(StoreError, match="no space left"):
        desk.poll(SPECS[0].url, *items)
    assert desk.writer.value("SELECT count(*) FROM items") == 0
    assert desk.writer.feed(SPECS[0].url).state.state == "new"
    db.execute("PRAGMA max_page_count = 1000000")
    assert len(desk.poll(SPECS[0].url, *items).new) == 40
