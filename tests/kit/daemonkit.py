"""The real daemon as a process of its own, for tests: its configuration, its signals, its log, its database."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from aggregator.feedfiles import toml_of_feeds
from aggregator.models import FeedSpec

__all__ = ["DaemonProcess", "until"]

_CONFIG = """\
feeds = ["feeds.toml"]
[database]
path = '{database}'
[fetching]
allow_networks = ["127.0.0.0/8"]
host_spacing_s = 0.0
total_timeout_s = 5.0
connect_timeout_s = 2.0
[polling]
tick_s = 0.2
first_interval_s = 1
floor_s = 1
ceiling_s = 2
jitter = 0.0
[stories]
every_s = 0.3
[embedding]
backend = "off"
[backup]
every_hours = 0
[log]
format = "json"
"""


def until(true: Callable[[], Any], within_s: float, what: str) -> Any:
    """Wait until `true` is; its value. Fails the test, saying what was waited for."""
    deadline = time.monotonic() + within_s
    while not (value := true()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(0.05)
    return value


class DaemonProcess:
    """`aggregator run` over a folder of its own. Ended, whatever happens, with the `with` block.

    `settings` replaces lines of the configuration: {"floor_s": "600"}; `environ` adds to the environment; `before` are
    words before the command (prlimit, unshare); `database` is where the file is, by default in the folder.
    """

    def __init__(
        self,
        folder: Path,
        specs: Sequence[FeedSpec],
        *,
        settings: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        database: Path | None = None,
    ) -> None:
        self.folder = folder
        self.database = database or folder / "data" / "aggregator.db"
        self.config = folder / "aggregator.toml"
        self.log = folder / "daemon.log"
        self.environ = {**os.environ, **(environ or {})}
        self.before = list(before)
        self.process: subprocess.Popen[bytes] | None = None
        self.configure(settings or {})
        self.catalogue(specs)

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write the configuration with these settings in the place of the kit's; a table's name with a key that it lacks adds it."""
        lines = _CONFIG.format(database=self.database).splitlines()
        for name, value in settings.items():
            table, _, key = name.rpartition(".")
            first = lines.index(f"[{table}]") if f"[{table}]" in lines else len(lines) if table else 0
            last = next((n for n in range(first + 1, len(lines)) if table and lines[n][0] == "["), len(lines))
            at = next((n for n in range(first, last) if lines[n].startswith(f"{key} = ")), None)
            if at is not None:
                lines[at] = f"{key} = {value}"
            elif f"[{table}]" in lines:
                lines.insert(lines.index(f"[{table}]") + 1, f"{key} = {value}")
            else:
                lines += [f"[{table}]", f"{key} = {value}"]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def catalogue(self, specs: Iterable[FeedSpec]) -> None:
        """Write the catalogue."""
        (self.folder / "feeds.toml").write_text(toml_of_feeds(specs), encoding="utf-8")

    # --- the process ----------------------------------------------------------------------------------------------

    def start(self, *, ready: bool = True) -> Self:
        """Start it; `ready`: wait until it has written to the database."""
        mark = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.before, sys.executable, "-m", "aggregator", "--config", str(self.config), "run"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environ, cwd=self.folder,
            )  # fmt: skip
        if ready:
            until(lambda: self._ended() or self.events("catalogue", since=mark), 90, "the daemon starts")
            assert self.process.poll() is None, self.tail()
        return self

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @property
    def pid(self) -> int:
        """Of the daemon."""
        assert self.process is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def stop(self, within_s: float = 10.0) -> int:
        """SIGTERM; its exit status, which must come in time."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(within_s)

    def kill(self) -> None:
        """Kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def run(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Another command of the program with the same configuration."""
        command = [sys.executable, "-m", "aggregator", "--config", str(self.config), *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, env=self.environ, cwd=self.folder
        )

    # --- what it says and stores ----------------------------------------------------------------------------------

    def events(self, name: str = "", *, since: int = 0) -> list[dict[str, Any]]:
        """What it logged: all, or the events of one name; `since` is a size of the log file."""
        with self.log.open("rb") as file:
            file.seek(since)
            lines = [json.loads(line) for line in file if line.startswith(b"{") and line.endswith(b"\n")]
        return [line for line in lines if not name or line["event"] == name]

    def tail(self, count: int = 15) -> str:
        """The end of the log, for a failing test."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a reader of the file sees; nothing while it is being made."""
        if not self.database.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)) as db:
                return db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row; 0 while there is none."""
        rows = self.rows(sql, *values)
        return rows[0][0] if rows else 0

    def guids(self) -> list[str]:
        """The guids of all items in the database, one for each item that has a sighting."""
        return [row[0] for row in self.rows("SELECT guid FROM sightings")]

    def integrity(self) -> str:
        """What integrity_check and foreign_key_check say; "ok" when all is well."""
        keys = self.rows("PRAGMA foreign_key_check")
        return str(self.value("PRAGMA integrity_check")) if not keys else f"foreign keys: {keys[:3]}"

    def doubles(self) -> list[tuple[Any, ...]]:
        """Articles that are in the database twice: there must be none."""
        return self.rows("SELECT canonical_url, count(*) FROM items GROUP BY canonical_url HAVING count(*) > 1")
