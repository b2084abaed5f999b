"""What a person sees of it: alerts, the command that hears of them, figures for Prometheus, health and status."""

import asyncio
import json
import re
import socket
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from daemonkit import DaemonProcess, until
from publisher import Publisher

from aggregator.config import Alerts, Config, Fetching, Metrics, Polling
from aggregator.models import FailureReason
from aggregator.service.alerts import AlertCommand, compare
from aggregator.service.metrics import METRICS, Tally
from aggregator.service.monitor import Monitor
from aggregator.service.runtime import Runtime
from aggregator.store.watch import Condition
from aggregator.store.writer import open_writer

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)
CONFIG = Config(
    fetching=Fetching(allow_networks=("127.0.0.0/8",), host_spacing_s=0.0, total_timeout_s=3.0),
    polling=Polling(first_interval_s=600, floor_s=600, jitter=0.0),
    alerts=Alerts(disk_free_mb=0, dead_days=7),
)


class Watched:
    """A runtime over made-up publishers whose clock is set by hand, and its monitor."""

    def __init__(self, runtime, writer, tally, clock):
        self.runtime, self.writer, self.tally, self._clock = runtime, writer, tally, clock
        self.monitor = Monitor(runtime, lambda: clock[0], tally)

    async def later(self, **span):
        """Some time passes, and what is due is polled."""
        self._clock[0] += timedelta(**span)
        await self.runtime.rounds.run_due()

    def alerts(self):
        """Rows of `changes` of kind alert, as (feed, what, whether over)."""
        rows = self.writer.rows("SELECT feed_id, detail FROM changes WHERE kind = 'alert' ORDER BY seq")
        details = [(row["feed_id"], json.loads(row["detail"])) for row in rows]
        return [(feed_id, d["alert"], d.get("over", False)) for feed_id, d in details]


def watch(tmp_path, publisher, story, config=CONFIG, start=None):
    """Run `story` on a Watched."""

    async def main():
        clock = [start or datetime.now(UTC).replace(microsecond=0)]
        writer = open_writer(tmp_path / "a.db", now=clock[0])
        writer.sync_feeds(publisher.specs(), now=clock[0])
        tally = Tally()
        async with Runtime(
            config, writer=writer, embedder=None, clock=lambda: clock[0], listener=tally.count
        ) as runtime:
            watched = Watched(runtime, writer, tally, clock)
            await watched.later(seconds=1)
            await story(watched)
            watched.monitor.metrics.close()

    asyncio.run(main())


# --- alerts ------------------------------------------------------------------------------------------------------------


def test_what_began_and_what_is_over():
    """Only conditions that were not known begin, only known ones that are not true any more are over."""
    a, b = Condition("feed 1 dead", "dead", "A is dead", 1), Condition("program disk", "disk", "nearly full")
    assert compare([a, b], {}) == ([a, b], [])
    assert compare([a], {"feed 1 dead": "x", "program disk": "y"}) == ([], ["program disk"])
    assert compare([b], {"feed 1 dead": "x"}) == ([b], ["feed 1 dead"])


def test_feeds_that_die_are_told_once_and_when_they_come_back(tmp_path):
    """A feed that fails for a week, one that keeps us out: one alert each; none again after a restart; then they are over."""

    async def story(watched):
        await watched.monitor.run()
        assert watched.alerts() == []
        publisher.fault = lambda feed, _request: {0: "404", 1: "429"}.get(feed)
        for _ in range(10):
            await watched.later(days=1)
        await watched.monitor.run()
        assert sorted(watched.alerts()) == [(1, "dead", False), (2, "blocked", False)]
        await Monitor(watched.runtime, watched.monitor._clock, watched.tally).run()  # as after a restart
        assert len(watched.alerts()) == 2
        publisher.fault = lambda _feed, _request: None
        publisher.publish()
        for _ in range(9):
            await watched.later(days=1)
        await watched.monitor.run()
        assert sorted(watched.alerts()[2:]) == [(1, "dead", True), (2, "blocked", True)]

    with Publisher(4) as publisher:
        watch(tmp_path, publisher, story)


def test_lossy_moved_and_stale_feeds(tmp_path):
    """Items missed three times in a day, another address for good, silence against its own cadence: an alert each."""

    async def story(watched):
        for _ in range(3):
            publisher.publish(publisher.window, range(1))
            await watched.later(hours=2)
        writer = watched.writer
        with writer.transaction() as db:
            db.execute("UPDATE feed_state SET url = 'https://new.example/' WHERE feed_id = 2")
            db.execute(
                "UPDATE feed_state SET cadence_s = 60, last_new_item_at = '2026-01-01T00:00:00Z' WHERE feed_id = 3"
            )
        await watched.monitor.run()
        assert sorted(watched.alerts()) == [(1, "lossy", False), (2, "moved", False), (3, "stale", False)]

    with Publisher(4, window=5) as publisher:
        watch(tmp_path, publisher, story)


def test_the_program_behind_and_the_disk_nearly_full(tmp_path):
    """Feeds due for longer than allowed, and less room than asked for, are alerts of no feed; both end."""

    async def story(watched):
        watched._clock[0] += timedelta(hours=3)
        watched.runtime.config = msgspec.structs.replace(CONFIG, alerts=Alerts(disk_free_mb=10**9))
        await watched.monitor.run()
        assert sorted(watched.alerts(), key=str) == [(None, "behind", False), (None, "disk", False)]
        watched.runtime.config = CONFIG
        await watched.later(seconds=1)
        await watched.monitor.run()
        assert sorted(watched.alerts()[2:], key=str) == [(None, "behind", True), (None, "disk", True)]

    with Publisher(2) as publisher:
        watch(tmp_path, publisher, story)


def command_to(path):
    """A command that appends its standard input to a file."""
    return (sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())", str(path))


def test_the_command_hears_one_event_a_run_and_no_more_than_allowed(tmp_path):
    """Three of five events run it, as JSON on its standard input; the next run tells that two were kept back."""
    heard = tmp_path / "heard"
    conditions = [
        Condition(
            f"feed {n} dead", "dead", f"Outlet {n} $(touch {tmp_path}/hacked) is dead", n, f"https://{n}.example/"
        )
        for n in range(5)
    ]

    async def main():
        command = AlertCommand()
        await command.tell(command_to(heard), 3, conditions, NOW)
        lines = [json.loads(line) for line in heard.read_text().splitlines()]
        assert [line["feed_id"] for line in lines] == [0, 1, 2]
        assert lines[0] == {
            "at": "2026-02-25T06:23:00Z", "alert": "dead", "message": conditions[0].message, "feed_id": 0,
            "url": "https://0.example/", "kept_back_before": 0,
        }  # fmt: skip
        command._runs.clear()  # an hour later
        await command.tell(command_to(heard), 3, conditions[:1], NOW)
        assert json.loads(heard.read_text().splitlines()[-1])["kept_back_before"] == 2

    asyncio.run(main())
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("command", [("/nonexistent",), (sys.executable, "-c", "raise SystemExit(3)"), ("/",)])
def test_a_command_that_fails_is_said_and_stops_nothing(caplog, command):
    """A missing program, a failing one, a folder: one line in the log, naming the setting."""
    asyncio.run(AlertCommand().tell(command, 10, [Condition("program disk", "disk", "full")], NOW))
    assert [record.getMessage() for record in caplog.records if "[alerts] command" in record.getMessage()]


# --- Prometheus -----------------------------------------------------------------------------------------------------------


def test_the_metrics_are_served_on_loopback_with_their_documented_names(tmp_path):
    """Every figure of the table is there with its label, and only those; nothing listens when the port is 0."""
    pytest.importorskip("prometheus_client")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def story(watched):
        await watched.monitor.run()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=1)
        watched.runtime.config = msgspec.structs.replace(CONFIG, metrics=Metrics(port=port))
        publisher.fault = lambda feed, _request: "500" if feed == 1 else None
        await watched.later(hours=2)
        await watched.monitor.run()
        text = await asyncio.to_thread(
            lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        )
        served = dict(re.findall(r"^# TYPE (aggregator_\w+) (\w+)$", text, re.MULTILINE))
        wanted = {name + ("_total" if kind == "counter" else ""): kind for name, (kind, _, _) in METRICS.items()}
        assert served == wanted
        assert 'aggregator_polls_total{outcome="http"} 1.0' in text
        assert 'aggregator_feeds{state="ok"} ' in text
        assert "aggregator_items 10.0" in text
        assert "process_resident_memory_bytes" in text

    with Publisher(2) as publisher:
        watch(tmp_path, publisher, story)


def test_every_metric_is_in_the_documents():
    """docs/operations.md names each figure as Prometheus sees it."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    for name, (kind, label, _) in METRICS.items():
        assert f"`{name}{'_total' if kind == 'counter' else ''}{'{' + label + '}' if label else ''}`" in text


def test_the_tally_names_failures_of_parsing(tmp_path):
    """A body that is no feed counts as such, not as fetched."""

    async def story(watched):
        assert watched.tally.outcomes["fetched"] == 1
        assert (
            sum(
                count
                for name, count in watched.tally.outcomes.items()
                if name in {"parse", str(FailureReason.NOT_A_FEED)}
            )
            == 1
        )

    with Publisher(2) as publisher:
        publisher.fault = lambda feed, _request: "garbage" if feed else None
        watch(tmp_path, publisher, story)


# --- health and status -------------------------------------------------------------------------------------------------------


def test_health_and_status_of_a_real_daemon(tmp_path):
    """While it runs: status 0, its process named. Stopped and feeds overdue: status 1 and the reason. Text and JSON alike."""
    settings = {"alerts.behind_s": "3"}
    with Publisher(3) as publisher, DaemonProcess(tmp_path, publisher.specs(), settings=settings).start() as daemon:
        until(lambda: daemon.value("SELECT count(*) FROM story_items") == 15, 30, "15 items are grouped")
        done = daemon.run("health", "--json")
        found = json.loads(done.stdout)
        assert (done.returncode, found["problems"]) == (0, [])
        assert found["daemon_pid"] == daemon.pid
        assert found["feeds_by_state"] == {"ok": 3}
        assert found["counts"]["items"] == 15
        assert found["last_hour"]["new_items"] == 15
        text = daemon.run("health").stdout
        assert f"process {daemon.pid}" in text
        assert "\x1b" not in text
        status = daemon.run("status").stdout
        assert "Outlet 1" in status
        daemon.stop()
        time.sleep(6)
        done = daemon.run("health")
        assert done.returncode == 1
        assert "no daemon runs" in done.stdout


def test_health_of_no_database_is_status_4(tmp_path):
    """Before the first start there is nothing to read: one line, no traceback."""
    with Publisher(1) as publisher:
        done = DaemonProcess(tmp_path, publisher.specs()).run("health")
    assert done.returncode == 4
    assert "no such database" in done.stderr
