"""What the disk does to the daemon: full, read-only, the file gone, replaced or damaged."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from daemonkit import DaemonProcess, until
from publisher import Publisher

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 6 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(path):
    """Write until there is no room."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))


@as_root
def test_a_full_disk_stops_nothing_but_writing(tmp_path, small_disk):
    """The daemon stays up, says that the disk is full, asks publishers ever less, and goes on by itself when there is room."""
    with Publisher(6, items=10) as publisher:
        database = small_disk / "data" / "aggregator.db"
        with DaemonProcess(tmp_path, publisher.specs(), database=database).start() as daemon:
            until(lambda: len(daemon.guids()) == 60, 30, "60 items")
            filler = small_disk / "filler"
            fill(filler)
            publisher.publish(20)
            refused = until(lambda: daemon.events("store_refused"), 30, "it says so")
            assert "no space left" in refused[0]["message"]
            asked = sum(publisher.requests.values())
            time.sleep(3)
            assert daemon.process.poll() is None
            assert sum(publisher.requests.values()) - asked <= 12
            filler.unlink()
            until(lambda: len(daemon.guids()) == 180, 60, "it goes on")
            until(lambda: daemon.events("store_writable"), 10, "it says so too")
            assert daemon.integrity() == "ok"
            assert daemon.doubles() == []
            assert "Traceback" not in daemon.log.read_text()
            assert daemon.stop() == 0


@as_root
def test_stopping_on_a_full_disk_exits_0(tmp_path, small_disk):
    """SIGTERM while nothing can be written ends as cleanly as ever, and the next start, with room, loses nothing."""
    with Publisher(6, items=10) as publisher:
        database = small_disk / "data" / "aggregator.db"
        with DaemonProcess(tmp_path, publisher.specs(), database=database).start() as daemon:
            until(lambda: len(daemon.guids()) == 60, 30, "60 items")
            filler = small_disk / "filler"
            fill(filler)
            publisher.publish(20)
            until(lambda: daemon.events("store_refused"), 30, "it says so")
            assert daemon.stop() == 0
            filler.unlink()
            daemon.start()
            until(lambda: len(daemon.guids()) == 180, 60, "it goes on")
            assert daemon.integrity() == "ok"


@as_root
def test_a_disk_that_turns_read_only(tmp_path):
    """As Linux does after an error of the disk (here ext4, told to find one): the daemon stays up, says why, and ends cleanly."""
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(24_000_000)
    made = subprocess.run(["mkfs.ext4", "-q", "-F", image], check=False, capture_output=True)
    mount = ["mount", "-o", "loop,errors=remount-ro", image, place]
    if made.returncode or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no loop device or no ext4 here")
    try:
        with Publisher(4) as publisher:
            database = place / "data" / "aggregator.db"
            with DaemonProcess(tmp_path, publisher.specs(), database=database).start() as daemon:
                until(lambda: len(daemon.guids()) == 20, 30, "20 items")
                device = subprocess.run(["findmnt", "-no", "SOURCE", place], check=True, capture_output=True, text=True)
                Path(f"/sys/fs/ext4/{Path(device.stdout.strip()).name}/trigger_fs_error").write_text(
                    "a test", encoding="ascii"
                )
                publisher.publish(2)
                until(lambda: daemon.events("store_refused"), 30, "it says so")
                time.sleep(1.5)
                assert daemon.process.poll() is None
                assert "Traceback" not in daemon.log.read_text()
                assert daemon.stop() == 0
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@as_root
def test_a_start_on_a_read_only_disk_is_one_line_and_exit_status_4(tmp_path, small_disk):
    """It says which file cannot be written, with no traceback."""
    with Publisher(1) as publisher:
        database = small_disk / "data" / "aggregator.db"
        daemon = DaemonProcess(tmp_path, publisher.specs(), database=database)
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        done = daemon.run("run")
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert done.returncode == 4, done.stderr
    assert str(small_disk) in done.stderr
    assert "Traceback" not in done.stderr


def test_the_file_is_removed_under_it(tmp_path):
    """A database that is deleted while the daemon runs is noticed; the daemon ends with status 4 and says what to do."""
    with Publisher(4) as publisher, DaemonProcess(tmp_path, publisher.specs()).start() as daemon:
        until(lambda: len(daemon.guids()) == 20, 20, "20 items")
        daemon.database.unlink()
        assert daemon.process.wait(30) == 4, daemon.tail()
        assert "removed or replaced" in daemon.tail()
        assert "Traceback" not in daemon.log.read_text()


def test_the_file_is_replaced_under_it(tmp_path):
    """A copy put in its place is not written to by accident: the daemon ends, the supervisor starts it on the new file."""
    with Publisher(4) as publisher, DaemonProcess(tmp_path, publisher.specs()).start() as daemon:
        until(lambda: len(daemon.guids()) == 20, 20, "20 items")
        copy = tmp_path / "copy.db"
        assert daemon.run("backup", str(copy)).returncode == 0
        copy.replace(daemon.database)
        assert daemon.process.wait(30) == 4, daemon.tail()
        assert "removed or replaced" in daemon.tail()
        publisher.publish(1)
        daemon.start()
        until(lambda: len(daemon.guids()) == 24, 20, "it goes on with the copy")
        assert daemon.integrity() == "ok"
        assert daemon.doubles() == []


def test_a_damaged_file_at_the_start_is_exit_status_6_and_names_the_way_back(tmp_path):
    """A page overwritten with rubbish: the daemon does not touch the file, names the newest good backup, and that restores it."""
    with Publisher(6, items=60, window=100) as publisher, DaemonProcess(tmp_path, publisher.specs()).start() as daemon:
        until(lambda: len(daemon.guids()) == 360, 30, "360 items")
        assert daemon.run("backup").returncode == 0
        assert daemon.stop() == 0
        size = daemon.database.stat().st_size
        with daemon.database.open("r+b") as file:
            for page in range(20, size // 4096, 7):
                file.seek(page * 4096)
                file.write(os.urandom(4096))
        before = daemon.database.read_bytes()
        done = daemon.run("run")
        assert done.returncode == 6, done.stderr
        assert "aggregator restore" in done.stderr
        assert daemon.database.read_bytes() == before
        backup = next((daemon.database.parent / "backups").glob("*.db"))
        assert str(backup) in done.stderr
        assert daemon.run("restore", str(backup)).returncode == 0
        daemon.start()
        until(lambda: len(daemon.guids()) == 360, 20, "all is there")
        assert daemon.integrity() == "ok"


def test_a_page_is_damaged_while_it_runs(tmp_path):
    """Rubbish written into the file under a running daemon: it neither crashes nor hides it; the end is by exit status 6."""
    with Publisher(6, items=60, window=200) as publisher, DaemonProcess(tmp_path, publisher.specs()).start() as daemon:
        until(lambda: len(daemon.guids()) == 360, 30, "360 items")
        daemon.stop()
        daemon.start()
        with daemon.database.open("r+b") as file:
            for page in range(3, daemon.database.stat().st_size // 4096):
                file.seek(page * 4096)
                file.write(os.urandom(4096))
        publisher.publish(20)
        assert daemon.process.wait(60) == 6, daemon.tail()
        assert "damaged" in daemon.tail()


def test_the_folder_of_backups_cannot_be_written(tmp_path):
    """A copy that fails stops nothing: it is said once, and polling goes on."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    settings = {"every_hours": "1", "backup.directory": f"'{blocked}'"}
    with Publisher(3) as publisher, DaemonProcess(tmp_path, publisher.specs(), settings=settings).start() as daemon:
        until(lambda: len(daemon.guids()) == 15, 20, "15 items")
        done = daemon.run("backup")
        assert done.returncode == 4
        assert "Traceback" not in done.stderr
        publisher.publish()
        until(lambda: len(daemon.guids()) == 18, 20, "it polls on")


def test_a_stopped_process_goes_on_where_it_was(tmp_path):
    """SIGSTOP for a while, as a suspended machine: on SIGCONT each feed is polled once for all the time missed."""
    settings = {"first_interval_s": "2", "floor_s": "2", "ceiling_s": "2"}
    with Publisher(4) as publisher, DaemonProcess(tmp_path, publisher.specs(), settings=settings).start() as daemon:
        until(lambda: len(daemon.guids()) == 20, 20, "20 items")
        daemon.signal(signal.SIGSTOP)
        time.sleep(0.2)
        publisher.publish(3)
        before = dict(publisher.requests)
        time.sleep(7)
        assert dict(publisher.requests) == before
        daemon.signal(signal.SIGCONT)
        until(lambda: len(daemon.guids()) == 32, 10, "what was missed comes")
        assert all(publisher.requests[feed] - count <= 2 for feed, count in before.items())
        assert daemon.stop() == 0
