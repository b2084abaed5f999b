"""Kill -9 in the middle of a migration: python benchmarks/store/migrate_kill.py FILE [--kills 5].

Takes a database (of generate.py: a million items are 2.5 GB), gives the program one more migration that rewrites every item
and makes an index, and kills it at moments spread over the time that the migration takes. After each kill the file must
answer as before: same version, same content, integrity_check (once, at the end). At last the migration is let through.
Also the child: --child runs the migration and prints `begun` inside its transaction.
"""

import argparse
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import sqlite_utils

from aggregator.store import migrations, writer

SQL = "SELECT count(*), sum(length(title)), max(item_id), min(updated_at IS NULL) FROM items"


def child(path: Path) -> None:
    @migrations.MIGRATIONS()
    def m999_rewrites_every_item(db: sqlite_utils.Database) -> None:
        print("begun", flush=True)
        db.conn.execute("ALTER TABLE items ADD COLUMN extra TEXT NOT NULL DEFAULT ''")
        db.conn.execute("UPDATE items SET extra = title || summary, updated_at = first_seen_at")
        db.conn.execute("CREATE INDEX items_by_extra ON items (extra)")
        print("done", flush=True)

    migrations.SCHEMA_VERSION += 1
    writer.SCHEMA_VERSION = migrations.SCHEMA_VERSION
    writer.open_writer(path, now=datetime.now(UTC), daemon=True).close()  # noqa: TID251


def start(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, __file__, "--child", str(path)], stdout=subprocess.PIPE, text=True)
    if process.stdout is None or process.stdout.readline() != "begun\n":
        sys.exit("the migration did not begin")
    return process


def facts(path: Path) -> tuple[object, ...]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(items)")]
        return (db.execute("PRAGMA user_version").fetchone()[0], "extra" in columns, *db.execute(SQL).fetchone())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--takes", type=float, default=0.0, help="seconds over which the kills are spread")
    parser.add_argument("--child", action="store_true")
    given = parser.parse_args()
    if given.child:
        child(given.file)
        return
    before = facts(given.file)
    size = given.file.stat().st_size / 1e9
    for n in range(given.kills):
        process = start(given.file)
        time.sleep(given.takes * n / given.kills)
        process.kill()
        process.communicate()
        log = given.file.with_name(given.file.name + "-wal").stat().st_size / 1e6
        began = time.perf_counter()
        after = facts(given.file)
        verdict = "as before" if after == before else f"CHANGED: {before} → {after}"
        print(f"{size:.1f} GB, killed after {given.takes * n / given.kills:.1f} s, log {log:.0f} MB: {verdict} "
              f"({time.perf_counter() - began:.1f} s to read)", flush=True)  # fmt: skip
        if after != before:
            sys.exit(1)
    began = time.perf_counter()
    process = start(given.file)
    process.communicate()
    print(f"let through in {time.perf_counter() - began:.1f} s: {facts(given.file)}")
    with closing(sqlite3.connect(f"file:{given.file}?mode=ro", uri=True)) as db:
        print("integrity_check:", db.execute("PRAGMA integrity_check").fetchone()[0])


if __name__ == "__main__":
    main()
