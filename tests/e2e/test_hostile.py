"""The real daemon, two hundred hostile feeds and fifty good ones: `pytest -m slow tests/e2e/test_hostile.py`, 4 minutes."""

import itertools
import runpy
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from daemonkit import DaemonProcess, until

from aggregator.models import FeedSpec, parse_iso

FOLDER = Path(__file__).parents[2] / "benchmarks" / "polling"
INTERVAL_S = 30
SECONDS = 200


class Watchdog:
    """The service manager's side of sd_notify: the longest gap between two signs of life."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.longest = 0.0
        self.signs = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        last = None
        while message := self.socket.recv(4096):
            if b"WATCHDOG=1" in message:
                now = time.monotonic()
                self.longest = max(self.longest, now - (last or now))
                last = now
                self.signs += 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_rule_16_hostile_feeds_delay_nobody(tmp_path, monkeypatch):
    """Stalls, floods, bombs and traps: every good feed is polled within twice its interval, memory and the loop stay free."""
    monkeypatch.syspath_prepend(str(FOLDER))
    hostile = runpy.run_path(str(FOLDER / "hostile.py"))
    servers = [
        subprocess.Popen([sys.executable, FOLDER / "hostile_server.py"], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    watchdog = Watchdog(tmp_path / "notify")
    try:
        ports = [int(server.stdout.readline()) for server in servers]
        urls = list(hostile["urls"](*ports, 200, 50))
        specs = [FeedSpec(url, f"Outlet {number}", "DE", "en") for number, url in enumerate(urls)]
        settings = {
            "floor_s": str(INTERVAL_S),
            "first_interval_s": str(INTERVAL_S),
            "ceiling_s": "3600",
            "total_timeout_s": "10.0",
            "host_spacing_s": "1.0",
            "polling.jitter": "0.1",
        }
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000"}
        with DaemonProcess(tmp_path, specs, settings=settings, environ=environ).start() as daemon:
            pid, memory = daemon.pid, (0.0, 0.0)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                assert daemon.process.poll() is None, daemon.tail()
                alone = hostile["tree_mb"](
                    pid, {int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
                )
                memory = max(memory, (hostile["tree_mb"](pid, set()), alone))
                time.sleep(1)
            assert daemon.stop() == 0
            good = "SELECT p.feed_id, p.started_at, p.next_poll_at FROM polls AS p JOIN feeds AS f USING (feed_id) WHERE f.url LIKE '%/good/%' ORDER BY p.poll_id"
            polls = {}
            for feed, started, due in daemon.rows(good):
                polls.setdefault(feed, []).append((parse_iso(started), parse_iso(due)))
            errors = [line for line in daemon.events() if line["level"] in ("error", "critical")]
            restarts = len(daemon.events("catalogue"))
    finally:
        for server in servers:
            server.kill()
            server.communicate()
    late = [
        (after - before).total_seconds() / (due - before).total_seconds()
        for feed in polls.values()
        for (before, due), (after, _) in itertools.pairwise(feed)
    ]
    found = (f"good feeds: {len(polls)}, polls {sum(map(len, polls.values()))}, latest after {max(late):.2f} times the interval; "
          f"memory with all workers {memory[0]:.0f} MB, of which the daemon {memory[1]:.0f} MB; longest gap of the watchdog {watchdog.longest:.2f} s in {watchdog.signs} signs")  # fmt: skip
    print(found, file=sys.stderr)  # noqa: T201 - the figures for docs/polling.md, with pytest -s
    assert len(polls) == 50
    assert min(len(feed) for feed in polls.values()) >= 3
    assert max(late) < 2
    assert memory[0] < 512
    assert watchdog.signs > SECONDS / 3
    assert watchdog.longest < 5
    assert errors == []
    assert restarts == 1
    until(lambda: not Path(f"/proc/{pid}").exists(), 5, "the daemon is gone")
