"""Upkeep: the copies that the daemon makes by itself."""

import asyncio
import sqlite3
from pathlib import Path

from aggregator.config import Backup, Config
from aggregator.service.clock import utcnow
from aggregator.service.runtime import Runtime
from aggregator.service.upkeep import Upkeep
from aggregator.store.writer import open_writer


def test_a_snapshot_is_published_and_kept_until_it_is_old(tmp_path):
    """The snapshot that the configuration asks for is made, stands alone, and is not made again while it is fresh."""
    target = tmp_path / "public" / "news.db"
    settings = Backup(every_hours=0, snapshot_path=str(target), snapshot_minutes=60)

    async def run() -> tuple[int, int]:
        writer = open_writer(tmp_path / "a.db", now=utcnow())
        async with Runtime(Config(backup=settings), writer=writer, embedder=None) as runtime:
            upkeep = Upkeep(runtime, utcnow, stopping=lambda: False)
            await upkeep.run()
            first = target.stat().st_ino
            await upkeep.run()
            return first, target.stat().st_ino

    first, second = asyncio.run(run())
    assert first == second
    assert not Path(f"{target}-wal").exists()
    db = sqlite3.connect(f"file:{target}?immutable=1", uri=True)
    assert db.execute("SELECT count(*) FROM coverage").fetchone()[0] == 0
    db.close()
    assert not (tmp_path / "backups").exists()
