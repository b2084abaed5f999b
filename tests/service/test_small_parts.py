"""The parts of the service that stand alone: clock, notifications, log lines, the serial thread."""

import asyncio
import io
import json
import logging
import os
import socket
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.config import Log
from aggregator.service.clock import JumpWatch
from aggregator.service.logs import event, set_up
from aggregator.service.minutely import Minutely
from aggregator.service.notify import Notifier
from aggregator.service.rounds import RoundCounts
from aggregator.service.serial import Serial
from aggregator.service.ticks import Ticks

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)


class Hands:
    """A wall clock and a monotonic one, set by hand."""

    def __init__(self):
        self.wall, self.ticks = NOW, 1000.0

    def pass_(self, seconds, wall=None):
        """Let time pass, and the wall clock show so much more."""
        self.ticks += seconds
        self.wall += timedelta(seconds=seconds if wall is None else wall)


# --- the clock -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "wall", "back"),
    [
        (10, 10, None),
        (10, -50, timedelta(seconds=60)),
        (10, 10 - 86_400, timedelta(days=1)),
        (10, 10 + 86_400, None),
        (10, 5, None),
        (0, 28_800, None),
        (3600, -3600, timedelta(hours=2)),
    ],
)
def test_a_clock_set_back_is_noticed(seconds, wall, back):
    """By how much, to the minute; time that passes, slewing, waking up and a clock set forward are none of its business."""
    hands = Hands()
    watch = JumpWatch(lambda: hands.wall, lambda: hands.ticks)
    hands.pass_(seconds, wall)
    expected = back if back and back > timedelta(seconds=60) else None
    assert watch.went_back() == expected
    hands.pass_(5)
    assert watch.went_back() is None  # told once


# --- systemd ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("abstract", [False, True])
def test_notifications_arrive_at_the_manager(tmp_path, abstract):
    """Fields come as one datagram of lines, over a path and over an abstract name; a line break cannot add a field."""
    name = f"@aggregator-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "180000000"})
        notifier.send(READY=1, STATUS="7 feeds\nMAINPID=1")
        assert manager.recv(4096).decode().split("\n") == ["READY=1", "STATUS=7 feeds MAINPID=1"]
    assert notifier.watchdog_s == 180.0
    notifier.send(WATCHDOG=1)  # the manager is gone: no reason to fail


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "5000000"}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_whose_watchdog_it_is(environ, seconds):
    """WATCHDOG_PID of another process, or nonsense, means no watchdog (sd_watchdog_enabled(3))."""
    assert Notifier(environ).watchdog_s == seconds
    Notifier(environ).send(READY=1)  # no socket: silence


# --- the log -----------------------------------------------------------------------------------------------------------

HOSTILE = "a\x1b[31mred\x07\u202ereversed\x00\r\nINFO forged line\x9b2J\u2028end"


@pytest.fixture
def lines(request):
    """What `set_up` writes, with the root logger as it was afterwards."""
    stream = io.StringIO()
    root, ours = logging.getLogger(), logging.getLogger("aggregator")
    handlers, levels = root.handlers[:], (root.level, ours.level)

    def start(form, environ=None):
        set_up(Log(format=form), stream, environ or {})
        return logging.getLogger("aggregator.test"), stream

    yield start
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.mark.parametrize(
    ("form", "environ"), [("text", {}), ("json", {}), ("auto", {}), ("auto", {"JOURNAL_STREAM": "8:1"})]
)
def test_what_feeds_say_cannot_forge_or_colour_a_line(lines, form, environ):
    """Control characters, escapes, line breaks and bidi overrides of a feed never reach the log, in no form of it."""
    log, stream = lines(form, environ)
    event(log, logging.WARNING, "round", f"feed says {HOSTILE}", url=HOSTILE)
    log.error("%s", HOSTILE)
    written = stream.getvalue()
    assert len(written.splitlines()) == 2
    assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2028" for c in written)
    if form == "json":
        for line in written.splitlines():
            assert json.loads(line)["level"] in ("warning", "error")


def test_json_lines_have_the_fields(lines):
    """A program finds the event's name, the message and each field with its type."""
    log, stream = lines("json")
    event(log, logging.INFO, "round", "3 feeds polled", polled=3, elapsed_s=1.5, why=None, url="https://a.example/")
    line = json.loads(stream.getvalue())
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "info", "event": "round", "message": "3 feeds polled", "polled": 3, "elapsed_s": 1.5, "why": None,
        "url": "https://a.example/",
    }  # fmt: skip


def test_the_journal_gets_priorities(lines):
    """Each line, those of a traceback too, begins with the priority that sd-daemon(3) reads."""
    log, stream = lines("auto", {"JOURNAL_STREAM": "8:1"})
    log.info("one")
    try:
        int("two")
    except ValueError:
        log.exception("an error of ours")
    written = stream.getvalue().splitlines()
    assert written[0] == "<6>one"
    assert len(written) > 3
    assert all(line.startswith("<3>") for line in written[1:])


def test_a_long_value_is_cut(lines):
    """A feed that says a megabyte does not fill the journal."""
    log, stream = lines("text")
    log.warning("%s", "x" * 1_000_000)
    assert len(stream.getvalue()) < 3000


# --- the serial thread -------------------------------------------------------------------------------------------------


def test_calls_run_in_order_in_one_thread():
    """A hundred calls from as many tasks run one after the other, in the order in which they were made."""

    async def main():
        serial = Serial("test")
        seen = []
        await asyncio.gather(*(serial(lambda n=n: seen.append((n, threading.get_ident()))) for n in range(100)))
        assert [n for n, _ in seen] == list(range(100))
        assert len({thread for _, thread in seen}) == 1
        assert serial.close(1)

    asyncio.run(main())


def test_an_error_reaches_who_awaits_and_the_thread_goes_on():
    """An exception is the call's, not the thread's."""

    async def main():
        serial = Serial("test")
        with pytest.raises(ZeroDivisionError):
            await serial(lambda: 1 // 0)
        assert await serial(lambda: 7) == 7
        assert serial.close(1)

    asyncio.run(main())


def test_closing_finishes_what_began_and_drops_what_waits():
    """A call under way is finished also when nobody awaits it any more; one that waits never runs."""

    async def main():
        serial = Serial("test")
        began, seen = threading.Event(), []

        def slow():
            began.set()
            time.sleep(0.2)
            seen.append("slow")

        first = asyncio.create_task(serial(slow))
        second = asyncio.create_task(serial(lambda: seen.append("never")))
        await asyncio.to_thread(began.wait, 5)
        first.cancel()
        assert await asyncio.to_thread(serial.close, 5)
        assert seen == ["slow"]
        await asyncio.gather(first, second, return_exceptions=True)
        with pytest.raises(asyncio.CancelledError):
            await serial(lambda: None)

    asyncio.run(main())


def test_closing_does_not_wait_for_a_call_that_hangs():
    """A model or a disk that hangs costs the time given, not the end of the process."""

    async def main():
        serial, free = Serial("test"), threading.Event()
        hanging = asyncio.create_task(serial(free.wait))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        assert not await asyncio.to_thread(serial.close, 0.3)
        assert time.monotonic() - began < 2
        free.set()
        await hanging

    asyncio.run(main())


# --- the jobs ----------------------------------------------------------------------------------------------------------


def test_a_clock_that_learns_the_year_costs_nothing():
    """A job that is due since 1970, as on a machine that had no clock, runs once and at once, not once for each turn missed."""

    async def main():
        ticks, runs = Ticks(), []

        async def job():
            runs.append(time.monotonic())

        ticks.every(0.5, "job", job)
        ticks.start()
        ticks.all_at_once(datetime(1970, 1, 1, tzinfo=UTC))
        began = time.monotonic()
        await asyncio.sleep(0.25)
        assert len(runs) == 1
        assert runs[0] - began < 0.2
        await asyncio.sleep(0.5)
        assert len(runs) == 2
        ticks.end()

    asyncio.run(main())


def test_a_reload_does_not_put_off_what_comes_seldom():
    """Scheduled anew again and again, a job keeps its turn; a shorter interval brings it forward."""

    async def main():
        ticks, runs = Ticks(), []

        async def job(name):
            runs.append(name)

        ticks.every(0.4, "a", job, "a")
        ticks.every(60, "b", job, "b")
        ticks.every(600, "c", job, "c", first_s=0.2)
        ticks.start()
        for _ in range(6):
            await asyncio.sleep(0.1)
            ticks.every(0.4, "a", job, "a")
        assert sorted(runs) == ["a", "c"]
        ticks.every(0.1, "b", job, "b")
        await asyncio.sleep(0.25)
        assert "b" in runs
        ticks.end()

    asyncio.run(main())


def test_a_job_that_takes_long_does_not_overlap_itself():
    """The turns that pass while it is at work are missed, not made up for."""

    async def main():
        ticks, at_work, most, runs = Ticks(), 0, 0, 0

        async def job():
            nonlocal at_work, most, runs
            at_work, runs = at_work + 1, runs + 1
            most = max(most, at_work)
            await asyncio.sleep(0.25)
            at_work -= 1

        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        ticks.every(0.05, "job", job)
        ticks.start()
        await asyncio.sleep(0.9)
        ticks.pause()
        assert most == 1
        assert 2 <= runs <= 4
        ticks.end()
        await asyncio.sleep(0.3)

    asyncio.run(main())


def test_log_lines_go_to_standard_error_as_it_is_then(monkeypatch):
    """A progress bar puts itself in the place of standard error for a while: lines must pass through it, not beside it."""
    at_first, bar = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", at_first)
    set_up(Log(), environ={})
    monkeypatch.setattr("sys.stderr", bar)
    logging.getLogger("aggregator.test").warning("no network")
    assert at_first.getvalue() == ""
    assert bar.getvalue().endswith("WARNING no network\n")


def test_counts_are_told_once_a_minute():
    """What happened is told at once when nothing was told for a minute, else summed up; nothing is told of nothing."""
    told = Minutely(RoundCounts())
    assert told.add(RoundCounts(elapsed_s=0.1), 0.0) is None
    first = told.add(RoundCounts(polled=2, failed=1, reasons=Counter(dns=1), elapsed_s=1.0), 1.0)
    assert first is not None
    assert (first.polled, first.reasons, first.elapsed_s) == (2, Counter(dns=1), 1.1)
    assert told.add(RoundCounts(polled=3), 30.0) is None
    assert told.add(RoundCounts(), 59.0) is None
    later = told.add(RoundCounts(polled=4, reasons=Counter(dns=2)), 61.5)
    assert later is not None
    assert (later.polled, later.reasons) == (7, Counter(dns=2))
    assert told.add(RoundCounts(), 200.0) is None
