import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import timedelta

import pytest

from aggregator.errors import StoreDamagedError, StoreError, StoreLockedError
from aggregator.store.backups import (
    backup,
    backup_due,
    backup_to,
    newest_good_backup,
    restore,
    snapshot,
)
from aggregator.store.reader import open_reader
from aggregator.store.writer import open_writer

from .conftest import NOW, SPECS, Desk, make_item

DIENA = SPECS[0].url


def titles(path):
    """The titles in a database, read as any reader would."""
    with open_reader(path) as reader:
        return [row["title"] for row in reader.query("SELECT title FROM coverage ORDER BY item_id")]


def journal_mode(path):
    """How a file is written to: a copy that stands alone is not in WAL mode."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("PRAGMA journal_mode").fetchone()[0]


def test_a_backup_while_the_daemon_writes(desk, tmp_path):
    """Copies made in the middle of writing are whole, hold one moment, stand alone, and the oldest of them go."""
    stop = threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            desk.poll(DIENA, make_item(f"{n}a", f"Pair {n}"), make_item(f"{n}b", f"Pair {n}"))
            n += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        made = [backup(desk.writer.path, tmp_path / "copies", 3, now=NOW + timedelta(hours=h)) for h in range(5)]
    finally:
        stop.set()
        thread.join()
    kept = sorted((tmp_path / "copies").iterdir())
    assert kept == made[2:]
    assert made[-1].name == "aggregator-20260225T102300Z.db"
    for path in kept:
        assert len(titles(path)) % 2 == 0
        assert journal_mode(path) == "delete"
        assert path.stat().st_mode == desk.writer.path.stat().st_mode
    assert newest_good_backup(tmp_path / "copies") == made[-1]


def test_when_a_backup_is_due(desk, tmp_path):
    """None yet, or the newest older than the interval by its name: due."""
    every = timedelta(hours=24)
    assert backup_due(tmp_path / "copies", every, now=NOW)
    backup(desk.writer.path, tmp_path / "copies", 3, now=NOW)
    assert not backup_due(tmp_path / "copies", every, now=NOW + timedelta(hours=23))
    assert backup_due(tmp_path / "copies", every, now=NOW + timedelta(hours=24))


def test_databases_that_share_a_folder_leave_one_another_alone(desk, tmp_path):
    """`news` and `news-eu` in one folder: each has its own turn, its own rotation, and its own newest backup."""
    copies, every = tmp_path / "copies", timedelta(hours=24)
    news, news_eu = tmp_path / "news.db", tmp_path / "news-eu.db"
    for path in (news, news_eu):
        snapshot(desk.writer.path, path)
    of_eu = [backup(news_eu, copies, 3, now=NOW + timedelta(hours=h)) for h in (0, 1)]
    assert backup_due(copies, every, now=NOW + timedelta(hours=2), database="news")
    assert not backup_due(copies, every, now=NOW + timedelta(hours=2), database="news-eu")
    assert newest_good_backup(copies, "news") is None
    mine = backup(news, copies, 1, now=NOW - timedelta(hours=1))
    assert sorted(copies.iterdir()) == sorted([*of_eu, mine])
    assert newest_good_backup(copies, "news") == mine
    assert newest_good_backup(copies, "news-eu") == newest_good_backup(copies) == of_eu[1]


def test_a_backup_of_a_damaged_file_replaces_nothing(desk, tmp_path):
    """When the copy fails integrity_check the good backups stay, none is added, and no part is left behind."""
    for n in range(30):
        desk.poll(DIENA, make_item(n, f"Item {n}", body=f"text {n} " * 900))
    good = backup(desk.writer.path, tmp_path / "copies", 1, now=NOW)
    desk.writer.close()
    with desk.writer.path.open("r+b") as file:
        file.seek(4096 * 60)
        file.write(b"\xa5" * 4096 * 40)
    with pytest.raises(StoreDamagedError, match="damaged"):
        backup(desk.writer.path, tmp_path / "copies", 1, now=NOW + timedelta(days=1))
    assert list((tmp_path / "copies").iterdir()) == [good]


def test_restore_brings_it_back(desk, tmp_path):
    """A backup takes the database's place; what was there is beside it, log and all; its mode stays."""
    path = desk.writer.path
    desk.poll(DIENA, make_item(1, "Before"))
    good = backup_to(path, tmp_path / "safe.db")
    desk.poll(DIENA, make_item(2, "After"))
    with pytest.raises(StoreLockedError, match="in use"):
        restore(good, path)
    assert titles(path) == ["Before", "After"]
    desk.writer.close()
    aside = restore(good, path)
    assert titles(path) == ["Before"]
    assert titles(aside) == ["Before", "After"]
    assert restore(good, path) != aside
    with open_writer(path, now=NOW) as writer:
        later = Desk(writer).poll(DIENA, make_item(3, "Later"))
        assert writer.value("SELECT min(seq) FROM changes WHERE kind = 'restored'") > 10_000_000
    assert later.new[0] > 10_000_000  # no id that was given after the backup is given again
    assert titles(path) == ["Before", "Later"]


def test_restore_after_a_crash_leaves_the_old_log_with_the_old_file(desk, tmp_path):
    """The log of a killed daemon goes aside with its file: it must not be applied to the backup."""
    path = desk.writer.path
    good = backup_to(path, tmp_path / "safe.db")
    desk.writer.close()
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; from conftest import *\n"
        "writer = open_writer(Path(sys.argv[1]), now=NOW)\n"
        "Desk(writer).poll(SPECS[0].url, make_item(1, 'In the log only')); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, path, os.path.dirname(__file__)], check=False)  # noqa: PTH120
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    aside = restore(good, path)
    assert titles(path) == []
    assert titles(aside) == ["In the log only"]


def test_a_bad_backup_is_not_restored(desk, tmp_path):
    """A file that is missing, no database, or damaged is refused and the database stays."""
    path = desk.writer.path
    desk.poll(DIENA, make_item(1, "Here"))
    good = backup_to(path, tmp_path / "safe.db")
    desk.writer.close()
    bad = tmp_path / "bad.db"
    bad.write_bytes(good.read_bytes()[:20_000])
    for source in (tmp_path / "none.db", bad):
        with pytest.raises(StoreError, match=str(source)):
            restore(source, path)
    assert titles(path) == ["Here"]


def test_a_snapshot_is_replaced_in_one_step(desk, tmp_path):
    """A snapshot needs no other file; who has the old one open goes on reading it; it cannot replace the database."""
    target = tmp_path / "public" / "news.db"
    desk.poll(DIENA, make_item(1, "One"))
    snapshot(desk.writer.path, target)
    with closing(sqlite3.connect(f"file:{target}?mode=ro", uri=True)) as old:
        assert old.execute("SELECT count(*) FROM coverage").fetchone()[0] == 1
        desk.poll(DIENA, make_item(2, "Two"))
        snapshot(desk.writer.path, target)
        assert old.execute("SELECT count(*) FROM coverage").fetchone()[0] == 1
    assert titles(target) == ["One", "Two"]
    assert [p.name for p in target.parent.iterdir()] == ["news.db"]
    with pytest.raises(StoreError, match="the database itself"):
        snapshot(desk.writer.path, desk.writer.path)
    assert len(titles(desk.writer.path)) == 2


def test_a_killed_backup_leaves_the_last_one(desk, tmp_path):
    """Kill -9 in the middle of a copy leaves the published file whole, and the next copy succeeds."""
    for n in range(20):
        desk.poll(DIENA, *(make_item(f"{n}-{k}", f"Item {n} {k}", body=f"text {n} {k} " * 900) for k in range(20)))
    target = tmp_path / "news.db"
    snapshot(desk.writer.path, target)
    before = target.read_bytes()
    code = (
        "import sys; from pathlib import Path; from aggregator.store.backups import snapshot; print(1, flush=True)\n"
        "while True: snapshot(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    desk.poll(DIENA, make_item("last", "Last"))
    for after in (0.0, 0.01, 0.03):
        child = subprocess.Popen([sys.executable, "-c", code, desk.writer.path, target], stdout=-1, text=True)
        child.stdout.readline()
        threading.Event().wait(after)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        with closing(sqlite3.connect(target)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    snapshot(desk.writer.path, target)
    assert target.read_bytes() != before
    assert titles(target)[-1] == "Last"
