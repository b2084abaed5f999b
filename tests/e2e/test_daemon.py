"""The whole program as a process, over real HTTP, with real signals."""

import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from daemonkit import DaemonProcess, until
from publisher import Publisher

from aggregator.demo.server import DemoServer

SQL_STATE = "SELECT s.state, s.failures, s.next_poll_at FROM feed_state AS s ORDER BY s.feed_id"


def test_the_sample_feeds_become_stories_and_a_second_round_brings_news(tmp_path):
    """The demo's outlets are polled and grouped, what they publish later comes too, edits are revisions, nothing is double."""
    with DemoServer(datetime.now(UTC).replace(microsecond=0)) as server:
        specs = server.specs()
        with DaemonProcess(tmp_path, specs).start() as daemon:
            polled = "SELECT count(*) FROM feed_state WHERE last_success_at IS NOT NULL"
            until(lambda: daemon.value(polled) == len(specs), 30, "every feed is polled")
            until(lambda: not daemon.value("SELECT count(*) FROM to_cluster"), 30, "all items are grouped")
            items = daemon.value("SELECT count(*) FROM items")
            assert items > len(specs)
            assert daemon.value("SELECT count(*) FROM story_items") == items
            assert daemon.value("SELECT count(*) FROM top_stories") > 0
            server.publish(10)
            until(lambda: daemon.value("SELECT count(*) FROM items") > items, 30, "new items come")
            until(lambda: daemon.value("SELECT count(*) FROM revisions"), 30, "edits come")
            assert daemon.doubles() == []
            assert daemon.stop() == 0
            assert daemon.integrity() == "ok"
    assert {status for _, status in server.answers} == {200, 304}


def test_sigterm_when_idle_exits_0_and_says_so(tmp_path):
    """A stop is clean: exit status 0, no error in the log, the database open to readers."""
    with Publisher(4) as publisher, DaemonProcess(tmp_path, publisher.specs()).start() as daemon:
        until(lambda: len(daemon.guids()) == 20, 20, "20 items")
        assert daemon.stop() == 0
        assert daemon.events("stopping")
        assert [line for line in daemon.events() if line["level"] in ("error", "critical")] == []
        assert len(daemon.guids()) == 20


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_sigterm_while_publishers_hang_exits_in_time(tmp_path, fault):
    """Requests that would take longer than the stop may are given up: exit status 0 within ten seconds."""
    with Publisher(8) as publisher:
        publisher.fault = lambda _feed, _request: fault
        settings = {"total_timeout_s": "60.0"}
        with DaemonProcess(tmp_path, publisher.specs(), settings=settings).start() as daemon:
            until(lambda: len(publisher.requests) == 8, 10, "8 requests hang")
            assert daemon.stop(within_s=10) == 0
            assert daemon.value("SELECT count(*) FROM polls") == 0
            assert daemon.value("SELECT count(*) FROM feed_state WHERE failures > 0") == 0


def test_sigterm_at_any_moment_exits_0(tmp_path):
    """From its first written line on, under load, a stop at whatever moment ends with status 0 within ten seconds."""
    with Publisher(40, items=20) as publisher, DaemonProcess(tmp_path, publisher.specs()) as daemon:
        for pause in (0.0, 0.15, 0.4, 1.1):
            publisher.publish(5)
            daemon.start()
            time.sleep(pause)
            began = time.monotonic()
            assert daemon.stop(within_s=10) == 0, daemon.tail()
            assert time.monotonic() - began < 10
        assert daemon.integrity() == "ok"
        assert daemon.doubles() == []


def test_a_second_sigterm_changes_nothing(tmp_path):
    """An impatient supervisor that asks twice gets the same clean end."""
    with Publisher(8, items=20) as publisher:
        publisher.fault = lambda feed, _request: "hang" if feed % 2 else None
        with DaemonProcess(tmp_path, publisher.specs(), settings={"total_timeout_s": "60.0"}).start() as daemon:
            until(lambda: len(publisher.requests) == 8, 10, "8 requests")
            daemon.process.terminate()
            for _ in range(40):
                if daemon.process.poll() is not None:
                    break
                daemon.process.terminate()
                time.sleep(0.1)
            assert daemon.process.wait(10) == 0, daemon.tail()


def test_sigterm_during_the_start_exits_0_and_leaves_a_whole_file(tmp_path):
    """Stopped before it is ready, it leaves either no database or a whole one; the next start goes on."""
    with Publisher(4) as publisher, DaemonProcess(tmp_path, publisher.specs()) as daemon:
        for number in (1, 2, 3):
            daemon.start(ready=False)
            # The command has begun when it introduces itself; before that, Python itself starts.
            until(lambda n=number: daemon.log.read_bytes().count(b"configuration:") == n, 20, "it begins")
            assert daemon.stop(within_s=10) == 0, daemon.tail()
        daemon.start()
        until(lambda: len(daemon.guids()) == 20, 20, "20 items")
        assert daemon.integrity() == "ok"


def test_hang_up_takes_a_new_catalogue_and_new_settings(tmp_path):
    """SIGHUP: feeds that came are polled, feeds that went are not, and the process stays the same."""
    with Publisher(6) as publisher, DaemonProcess(tmp_path, publisher.specs()[:4]).start() as daemon:
        until(lambda: len(daemon.guids()) == 20, 20, "20 items")
        daemon.catalogue(publisher.specs()[2:])
        daemon.configure({"tick_s": "0.3"})
        daemon.signal(signal.SIGHUP)
        until(lambda: len(daemon.guids()) == 30, 20, "the items of two more feeds")
        first = publisher.requests[0]
        time.sleep(2.5)
        assert publisher.requests[0] == first
        assert daemon.events("catalogue")[-1] | {"added": 2, "removed": 2} == daemon.events("catalogue")[-1]
        assert daemon.process.poll() is None


MISTAKES = (  # settings, catalogue, what the message names
    ({"floor_s": "0"}, None, "floor_s"),
    ({"polling.flor_s": "5"}, None, "flor_s"),
    ({"allow_networks": '["300.0.0.0/8"]'}, None, "300.0.0.0/8"),
    ({}, "[[feed]]\nurl = 7\n", "feeds.toml"),
    ({}, "[[feed", "feeds.toml"),
)


def test_hang_up_with_a_broken_configuration_keeps_the_old_one(tmp_path):
    """SIGHUP with a mistake in it: the daemon says which, in one line without a traceback, and polls on as before."""
    with Publisher(3) as publisher, DaemonProcess(tmp_path, publisher.specs()).start() as daemon:
        until(lambda: len(daemon.guids()) == 15, 20, "15 items")
        for number, (settings, catalogue, said) in enumerate(MISTAKES):
            daemon.configure(settings)
            daemon.catalogue(publisher.specs())
            if catalogue is not None:
                (tmp_path / "feeds.toml").write_text(catalogue, encoding="utf-8")
            daemon.signal(signal.SIGHUP)
            until(lambda n=number: len(daemon.events("reload_refused")) == n + 1, 20, f"it says why: {said}")
            assert said in daemon.events("reload_refused")[-1]["message"]
        assert "Traceback" not in daemon.log.read_text()
        publisher.publish(2)
        until(lambda: len(daemon.guids()) == 21, 20, "it polls on")


def test_a_second_daemon_exits_5_with_a_message(tmp_path):
    """On the same file a second daemon ends within ten seconds, says which process has it, and disturbs nothing."""
    with Publisher(2) as publisher, DaemonProcess(tmp_path, publisher.specs()).start() as daemon:
        second = daemon.run("run", timeout=10)
        assert second.returncode == 5
        assert str(daemon.pid) in second.stderr
        assert "Traceback" not in second.stderr
        assert daemon.run("poll", timeout=10).returncode == 5
        until(lambda: len(daemon.guids()) == 10, 20, "the first goes on")


@pytest.mark.timeout(600)
def test_restarts_cause_no_early_poll(tmp_path):
    """Twenty restarts, ten of them by kill -9, ask no feed again before its time."""
    with Publisher(5) as publisher:
        settings = {"first_interval_s": "3600", "floor_s": "3600", "ceiling_s": "86400"}
        with DaemonProcess(tmp_path, publisher.specs(), settings=settings).start() as daemon:
            until(lambda: len(daemon.guids()) == 25, 20, "25 items")
            for number in range(20):
                daemon.kill() if number % 2 else daemon.stop()
                daemon.start()
                if number > 15:  # the ticks of polling are 0.2 s apart
                    time.sleep(0.5)
            assert dict(publisher.requests) == dict.fromkeys(range(5), 1)


def test_one_request_at_a_time_for_each_host(tmp_path):
    """Six feeds on three hosts: no host ever has two requests at once, also after a restart."""
    with Publisher(6, hosts=3) as publisher:
        with DaemonProcess(tmp_path, publisher.specs(), settings={"host_spacing_s": "0.05"}).start() as daemon:
            until(lambda: len(daemon.guids()) >= 15, 60, "15 items")
            daemon.kill()
            daemon.start()
            until(lambda: len(daemon.guids()) == 30, 60, "30 items")
            seen = publisher.requests.total()
            until(lambda: publisher.requests.total() > seen + 12, 60, "two more polls of each feed")
        assert publisher.most_at_once == 1


def test_a_wrong_configuration_is_one_line_and_exit_status_2(tmp_path):
    """`aggregator run` with a mistake in its configuration says what, where and what to do, with no traceback."""
    with Publisher(1) as publisher:
        daemon = DaemonProcess(tmp_path, publisher.specs(), settings={"allow_networks": '["300.0.0.0/8"]'})
        done = daemon.run("run")
    assert done.returncode == 2
    assert "300.0.0.0/8" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_of_it_stays_after_the_end(tmp_path):
    """After a stop and after a kill -9 no process of the daemon is left: neither a parser nor its template."""
    with Publisher(4) as publisher, DaemonProcess(tmp_path, publisher.specs()) as daemon:
        for end in (daemon.stop, daemon.kill):
            publisher.publish()
            daemon.start()
            want = len(publisher.every_guid())
            until(lambda w=want: len(daemon.guids()) == w, 20, "all items")
            mine = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
            children = [int(line.split()[0]) for line in mine.splitlines()[1:] if int(line.split()[1]) == daemon.pid]
            assert children
            end()
            until(lambda c=children: not any(_alive(pid) for pid in c), 5, f"{children} end")


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
