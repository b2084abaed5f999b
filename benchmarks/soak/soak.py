"""Runs the real daemon for hours over made-up publishers that misbehave, mistreats it, and prints what it cost and lost.

    python benchmarks/soak/soak.py --hours 2 --feeds 500 --out soak.jsonl

Every minute one line of figures goes to --out; the summary goes to standard output. Exit status 1 when an item was lost
or doubled, or the daemon ended otherwise than it was told to.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "kit"))

from daemonkit import DaemonProcess  # noqa: E402 - found by the line above
from publisher import Publisher  # noqa: E402

FAULTS = {  # what goes wrong with a request, and how often
    "500": 0.02, "429": 0.005, "404": 0.005, "reset": 0.01, "hang": 0.01, "drip": 0.005, "garbage": 0.01,
    "truncated": 0.01, "bomb": 0.003, "nested": 0.003,
}  # fmt: skip
DEEDS = {  # what is done to the daemon, and every how many minutes
    "parsers killed": 5, "hang up": 7, "reader holds on": 8, "kill -9": 11, "stop and start": 13, "network down 60 s": 17,
    "SIGSTOP 20 s": 23,
}  # fmt: skip
SETTINGS = {
    "tick_s": "1.0", "first_interval_s": "60", "floor_s": "60", "ceiling_s": "120", "jitter": "0.1", "host_spacing_s": "0.5",
    "every_s": "5.0", "stories.repair_every_s": "300.0", "every_hours": "1",
}  # fmt: skip


class Soak:
    """One run."""

    def __init__(
        self, publisher: Publisher, daemon: DaemonProcess, chance: random.Random, out: TextIO, deeds: dict[str, int]
    ) -> None:
        self.plan = deeds
        self.publisher, self.daemon, self.chance, self.out = publisher, daemon, chance, out
        self.deeds: Counter[str] = Counter()
        self.figures: list[dict[str, Any]] = []
        self.wrong: list[str] = []

    # --- what is done to it -----------------------------------------------------------------------------------------

    def do(self, deed: str) -> None:
        """Do one of DEEDS."""
        self.deeds[deed] += 1
        daemon = self.daemon
        match deed:
            case "parsers killed":
                for pid in descendants(daemon.pid):
                    os.kill(pid, signal.SIGKILL)
            case "hang up":
                daemon.signal(signal.SIGHUP)
            case "reader holds on":
                with closing(sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)) as db:
                    db.execute("BEGIN")
                    db.execute("SELECT count(*) FROM items").fetchone()
                    time.sleep(20)
            case "kill -9":
                daemon.kill()
                daemon.start()
            case "stop and start":
                began = time.monotonic()
                status = daemon.stop(within_s=30)
                took = time.monotonic() - began
                if status or took > 10:
                    self.wrong.append(f"SIGTERM: status {status} after {took:.1f} s")
                daemon.start()
            case "network down 60 s":
                self.publisher.down()
                time.sleep(60)
                self.publisher.up()
            case "SIGSTOP 20 s":
                daemon.signal(signal.SIGSTOP)
                time.sleep(20)
                daemon.signal(signal.SIGCONT)

    def minute(self, number: int) -> None:
        """Publish, measure, and do what is due."""
        for feed in self.chance.sample(range(self.publisher.feeds), self.publisher.feeds // 10):
            self.publisher.publish(self.chance.choice((1, 1, 2)), range(feed, feed + 1))
        self.measure(number)
        for deed, every in self.plan.items():
            if number and number % every == 0:
                self.do(deed)

    # --- what it costs ----------------------------------------------------------------------------------------------

    def measure(self, number: int) -> None:
        """One line of figures."""
        daemon = self.daemon
        if daemon.process.poll() is not None:
            self.wrong.append(f"minute {number}: it had ended with status {daemon.process.returncode}")
            daemon.start()
        family = [daemon.pid, *descendants(daemon.pid)]
        lag = "SELECT max(0, strftime('%s', 'now') - strftime('%s', min(next_poll_at))) FROM feed_state WHERE active"
        figures = {
            "minute": number,
            "main_mb": memory_mb([daemon.pid]),
            "all_mb": memory_mb(family),
            "fds": len(list(Path(f"/proc/{daemon.pid}/fd").iterdir())),
            "threads": len(list(Path(f"/proc/{daemon.pid}/task").iterdir())),
            "processes": len(family),
            "cpu_s": cpu_s(daemon.pid),
            "wal_mb": size_mb(daemon.database.with_name(daemon.database.name + "-wal")),
            "db_mb": size_mb(daemon.database),
            "lag_s": daemon.value(lag),
            "waiting": daemon.value("SELECT count(*) FROM to_cluster"),
            "items": daemon.value("SELECT count(*) FROM items"),
            "stories": daemon.value("SELECT count(*) FROM stories WHERE merged_into IS NULL"),
            "published": len(self.publisher.every_guid()),
            "requests": self.publisher.requests.total(),
        }
        self.figures.append(figures)
        self.out.write(json.dumps(figures) + "\n")
        self.out.flush()

    # --- what it lost -----------------------------------------------------------------------------------------------

    def settle(self) -> dict[str, Any]:
        """Let it catch up with publishers that behave, stop it, and count."""
        self.publisher.fault = lambda _feed, _request: None
        every = self.publisher.every_guid()
        deadline = time.monotonic() + 600
        while set(self.daemon.guids()) < every and time.monotonic() < deadline:
            time.sleep(2)
        while self.daemon.value("SELECT count(*) FROM to_cluster") and time.monotonic() < deadline:
            time.sleep(2)
        status = self.daemon.stop(within_s=30)
        if status:
            self.wrong.append(f"the last stop: status {status}")
        guids = self.daemon.guids()
        news = self.daemon.value("SELECT count(*) FROM changes WHERE kind = 'new'")
        return {
            "published": len(every), "lost": len(every - set(guids)), "doubled": len(self.daemon.doubles()),
            "told twice": news - self.daemon.value("SELECT count(*) FROM items"),
            "without a story": self.daemon.value("SELECT count(*) FROM items") - self.daemon.value("SELECT count(*) FROM story_items"),
            "integrity": self.daemon.integrity(),
        }  # fmt: skip


def descendants(pid: int) -> list[int]:
    """Processes that come from this one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found: list[int] = []
    todo = [pid]
    while todo:
        parent = todo.pop()
        children = [child for child, of in parents.items() if of == parent]
        found += children
        todo += children
    return found


def memory_mb(pids: list[int]) -> float:
    """Proportional set size: memory that several processes share counts once."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return round(total / 1024, 1)


def cpu_s(pid: int) -> float:
    """Seconds of CPU that the main process has used since its last start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return round((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 1)


def size_mb(path: Path) -> float:
    """Of a file; 0 when there is none."""
    return round(path.stat().st_size / 1e6, 1) if path.exists() else 0.0


def summary(soak: Soak, counts: dict[str, Any], hours: float, faults: Counter[str]) -> None:
    """The figures as a table."""
    rows = [("", "first 10 min", "last 10 min", "highest")]
    for name in ("main_mb", "all_mb", "fds", "threads", "processes", "wal_mb", "lag_s", "waiting"):
        values = [row[name] for row in soak.figures]
        mean = [sum(part) / len(part) for part in (values[:10], values[-10:])]
        rows.append((name, f"{mean[0]:.1f}", f"{mean[1]:.1f}", f"{max(values):.1f}"))
    print(
        f"{hours:.2f} h, {soak.publisher.feeds} feeds, {soak.publisher.requests.total()} requests, {sum(faults.values())} of them faulty"
    )
    print("done to it: " + ", ".join(f"{n} x {deed}" for deed, n in soak.deeds.items()))
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))
    print(", ".join(f"{name}: {value}" for name, value in counts.items()))
    print(f"database {soak.figures[-1]['db_mb']} MB, {soak.figures[-1]['stories']} stories")
    errors = Counter(line["event"] for line in soak.daemon.events() if line["level"] in ("error", "critical"))
    print(
        f"events of level error: {dict(errors)}; tracebacks: {soak.daemon.log.read_text(errors='replace').count('Traceback')}"
    )
    for wrong in soak.wrong:
        print(f"WRONG: {wrong}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("soak.jsonl"))
    parser.add_argument("--lexical", action="store_true", help="without the embedder")
    parser.add_argument("--one-life", action="store_true", help="no kills and stops, so that a leak would show")
    given = parser.parse_args()
    deeds = {
        deed: every for deed, every in DEEDS.items() if not (given.one_life and deed in ("kill -9", "stop and start"))
    }
    chance = random.Random(given.seed)
    faults: Counter[str] = Counter()

    def fault(_feed: int, _request: int) -> str | None:
        kind = chance.choices([None, *FAULTS], [1 - sum(FAULTS.values()), *FAULTS.values()])[0]
        if kind:
            faults[kind] += 1
        return kind

    settings = SETTINGS if given.lexical else {**SETTINGS, "backend": '"auto"'}
    with (
        tempfile.TemporaryDirectory(prefix="aggregator-soak-") as folder,
        given.out.open("w", encoding="utf-8") as out,
        Publisher(given.feeds, hosts=given.feeds // 2, window=60, items=3) as publisher,
        DaemonProcess(Path(folder), publisher.specs(), settings=settings).start() as daemon,
    ):
        publisher.fault = fault
        soak = Soak(publisher, daemon, chance, out, deeds)
        began = time.monotonic()
        number = 0
        while time.monotonic() - began < given.hours * 3600:
            soak.minute(number)
            number += 1
            time.sleep(max(0.0, began + number * 60 - time.monotonic()))
            number = max(number, int((time.monotonic() - began) // 60))
        hours = (time.monotonic() - began) / 3600
        counts = soak.settle()
        summary(soak, counts, hours, faults)
    return bool(
        soak.wrong or counts["lost"] or counts["doubled"] or counts["told twice"] or counts["integrity"] != "ok"
    )


if __name__ == "__main__":
    sys.exit(main())
