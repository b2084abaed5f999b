"""Retention and copies, as the daemon makes them."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.config import Backup, Config
from aggregator.errors import StoreError
from aggregator.service.runtime import Runtime
from aggregator.service.upkeep import Upkeep, backup_folder
from aggregator.store import maintenance
from aggregator.store.writer import open_writer

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)


def upkeep(tmp_path, story, backup=None):
    """Run `story` on an Upkeep whose clock is set by hand."""

    async def main():
        clock, stopping = [NOW], [False]
        writer = open_writer(tmp_path / "a.db", now=NOW)
        config = Config(backup=backup or Backup(every_hours=24, keep=2))
        async with Runtime(config, writer=writer, embedder=None, clock=lambda: clock[0]) as runtime:
            await story(Upkeep(runtime, lambda: clock[0], stopping=lambda: stopping[0]), clock, stopping)

    asyncio.run(main())


def test_copies_are_made_when_they_are_due_and_rotate(tmp_path):
    """One at the first run, none an hour later, one a day later; the oldest of three goes; what a broken-off copy left goes too."""
    folder = backup_folder(tmp_path / "a.db", "")
    folder.mkdir()
    old, fresh = folder / ".a-20260101T000000Z.db.part", folder / ".a-20260225T060000Z.db.part"
    for part in (old, fresh):
        part.write_text("half")
    os.utime(old, (0, (NOW - timedelta(days=3)).timestamp()))
    os.utime(fresh, (0, NOW.timestamp()))

    async def story(upkeep, clock, _stopping):
        for hours, copies in ((0, 1), (1, 1), (24, 2), (48, 2), (72, 2)):
            clock[0] = NOW + timedelta(hours=hours)
            await upkeep.run()
            assert len(list(folder.glob("a-*.db"))) == copies

    upkeep(tmp_path, story)
    assert not old.exists()


def test_no_copies_when_they_are_off_or_the_daemon_stops(tmp_path):
    """`every_hours = 0` makes none; nor does a run that finds the daemon stopping, and that gives up its upkeep at once."""

    async def story(upkeep, _clock, stopping):
        await upkeep.run()
        stopping[0] = True
        upkeep._runtime.config = Config(backup=Backup(every_hours=1))
        began = time.monotonic()
        await upkeep.run()
        assert time.monotonic() - began < 2

    upkeep(tmp_path, story, Backup(every_hours=0))
    assert not backup_folder(tmp_path / "a.db", "").exists()


def test_a_copy_that_cannot_be_made_is_an_error_of_the_store(tmp_path):
    """The daemon's guard says it and goes on; a folder that is a file is named."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")

    async def story(upkeep, _clock, _stopping):
        with pytest.raises(StoreError, match="blocked"):
            await upkeep.run()

    upkeep(tmp_path, story, Backup(every_hours=1, directory=str(blocked)))


def test_warnings_reach_the_log(tmp_path, monkeypatch, caplog):
    """What maintenance warns of, such as a reader that keeps the log from shrinking, is one line for a person."""
    monkeypatch.setattr(maintenance, "_LOG_WARN_BYTES", -1)

    async def story(upkeep, _clock, _stopping):
        await upkeep.run()

    upkeep(tmp_path, story, Backup(every_hours=0))
    assert any("a.db-wal" in record.getMessage() for record in caplog.records)
