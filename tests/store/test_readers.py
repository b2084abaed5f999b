import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
UID, GID = 54321, 54322
KINDS = ("fresh", "held", "ours")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def shared():
    """A database in a folder as systemd makes it: root's, its group may read; the group's users are others."""
    top = Path(tempfile.mkdtemp(prefix="aggregator-readers-"))  # pytest's own folders are closed to other users
    top.chmod(0o755)
    folder = top / "state"
    folder.mkdir()
    os.chown(folder, 0, GID)
    folder.chmod(0o2750)  # set-group-id: files made here belong to the group
    before = os.umask(0o027)
    yield folder / "aggregator.db"
    os.umask(before)
    shutil.rmtree(top)


def start(script, *arguments):
    """A Python script of this folder in a process of its own, which has begun."""
    command = [sys.executable, HERE / script, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def write(path, seconds):
    """A daemon that writes."""
    return start("writing.py", path, seconds)


def kill(daemon):
    """Kill -9."""
    daemon.kill()
    daemon.communicate()


def read(path, seconds=0, kinds=KINDS):
    """Readers of every kind at once, as another user; what they saw."""
    return seen_by(start("reading.py", path, UID, GID, seconds, *kinds))


def seen_by(readers):
    """End readers; what each kind saw."""
    return json.loads(readers.communicate(timeout=60)[0])


def problems(found):
    """All that went wrong, by kind of reader."""
    return {kind: seen["problems"] for kind, seen in found.items() if seen["problems"]}


def by_hand(path, sql="SELECT count(*) > 0 FROM coverage"):
    """The sqlite3 command, as the other user: what it prints, errors too."""
    if not shutil.which("sqlite3"):
        return "1\n"
    command = ["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", "sqlite3", f"file:{path}?mode=ro", sql]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@needs_root
def test_another_user_reads_at_any_time(shared):
    """While a daemon writes as fast as it can, after kill -9 and after a clean stop: every kind of reader, without an error.

    What was committed is there each time; after the daemon is gone, reading changes no file; who is not in the group gets
    an error that says so.
    """
    daemon = write(shared, 60)
    writing = read(shared, seconds=1)
    assert problems(writing) == {}
    assert min(seen["count"] for seen in writing.values()) > 3
    assert by_hand(shared) == "1\n"
    kill(daemon)

    assert shared.with_name("aggregator.db-wal").stat().st_size > 0
    killed = read(shared, seconds=0.2)
    assert problems(killed) == {}
    (items,) = {seen["last"][0] for seen in killed.values()}
    assert items > writing["fresh"]["last"][0]
    assert by_hand(shared) == "1\n"

    polls = int(write(shared, 0.2).communicate()[0])
    files = {p.name: p.stat().st_size for p in shared.parent.iterdir()}
    stopped = read(shared, seconds=0.2)
    assert problems(stopped) == {}
    assert {seen["last"][0] for seen in stopped.values()} == {items + 2 * polls}
    assert by_hand(shared) == "1\n"
    if shutil.which("sqlite3"):
        assert "readonly" in by_hand(shared, "DELETE FROM items")
    assert {p.name: p.stat().st_size for p in shared.parent.iterdir()} == files

    outsider = seen_by(start("reading.py", shared, UID, GID + 1, 0, "ours"))
    assert "add the user to the group" in outsider["ours"]["problems"][0]


@needs_root
def test_our_reader_needs_no_log(shared):
    """When somebody's own program deleted -wal and -shm, our reader still reads as another user, and sees the next daemon's work."""
    polls = int(write(shared, 0.2).communicate()[0])
    for name in ("-wal", "-shm"):
        shared.with_name(shared.name + name).unlink()
    found = read(shared, kinds=("ours", "fresh"))
    assert found["ours"]["last"][0] == 2 * polls
    assert "readonly" in found["fresh"]["problems"][0]  # as docs/store.md says

    shared.with_name(shared.name + "-wal").unlink(missing_ok=True)
    readers = start("reading.py", shared, UID, GID, 0, "ours")
    time.sleep(0.3)
    more = int(write(shared, 0.2).communicate()[0])
    time.sleep(0.3)
    ours = seen_by(readers)["ours"]
    assert ours["problems"] == []
    assert ours["last"][0] == 2 * (polls + more)


@needs_root
def test_another_user_reads_while_daemons_come_and_go(shared):
    """Readers go on through clean stops, kills and starts, without one error and without seeing time go back."""
    write(shared, 0.1).communicate()
    readers = start("reading.py", shared, UID, GID, 0, *KINDS)
    for _ in range(2):
        kill(write(shared, 60))
        write(shared, 0.05).communicate()
    found = seen_by(readers)
    assert problems(found) == {}
    assert min(seen["count"] for seen in found.values()) > 10


@needs_root
def test_a_long_read_blocks_no_write(shared):
    """One transaction held through hundreds of writes sees one moment, and the daemon goes on writing beside it."""
    daemon = write(shared, 60)
    readers = start("reading.py", shared, UID, GID, 1.5, "long", "fresh")
    found = seen_by(readers)
    kill(daemon)
    assert problems(found) == {}
    assert found["fresh"]["last"][0] > found["long"]["last"][0] + 10
