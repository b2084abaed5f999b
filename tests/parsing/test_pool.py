import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aggregator.config import Limits
from aggregator.models import FailureReason, ParsedFeed, ParseFailed, ParseJob
from aggregator.parsing.pool import ParsePool

HERE = Path(__file__).parent
NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Paper</title><link>https://paper.example/</link>
<item><title>One</title><link>https://paper.example/1</link><pubDate>Wed, 25 Feb 2026 06:00:00 GMT</pubDate></item>
</channel></rss>"""


@pytest.fixture(autouse=True)
def _parser_path(monkeypatch):
    """The template finds the misbehaving parser beside this file; on a busy machine no worker is taken for a hanging one."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.setattr("aggregator.parsing.processes._WALL_MORE_S", 120.0)


def job(body, url="https://paper.example/feed"):
    """A job for the misbehaving parser."""
    return ParseJob(body.encode() if isinstance(body, str) else body, url, NOW)


def bad(**limits):
    """A pool whose parser does what the body says."""
    return ParsePool(Limits(**limits), parser="misbehaving:parse")


def processes(pid):
    """The living processes whose parent is `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def alive(pid):
    """Whether a process runs: one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(true, within_s=60.0):
    """Wait for what a busy machine may take its time for; the assertion that follows tells whether it came."""
    end = time.monotonic() + within_s
    while not true() and time.monotonic() < end:  # noqa: ASYNC110 - other processes set no event
        await asyncio.sleep(0.02)
    return true()


def test_a_feed_comes_back_as_the_parser_reads_it():
    """The real parser, in its process: items, dates and digests arrive as they would from a call."""
    from aggregator.parsing.feed import parse

    async def go():
        async with ParsePool(Limits()) as pool:
            return await pool.parse(job(FEED)), await pool.parse(job(b"<html>no feed</html>"))

    feed, page = asyncio.run(go())
    assert isinstance(feed, ParsedFeed)
    assert feed == parse(job(FEED), Limits())
    assert feed.items[0].published_at == datetime(2026, 2, 25, 6, 0, tzinfo=UTC)
    assert page.reason is FailureReason.NOT_A_FEED


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("die", "killed its parser"),
        ("abort", "killed its parser"),
        ("raise", "ValueError"),
        ("recurse", "too deeply"),
        ("eat 2000", "memory"),
        ("half", "the parser failed"),
        ("big 70000000", "70000"),
    ],
)
def test_rule_16_a_job_that_breaks_its_worker_breaks_no_other(word, says):
    """Rule 16: whatever one body does, it fails alone, and the jobs before, beside and after it succeed."""

    async def go():
        async with bad() as pool:
            return await asyncio.gather(*(pool.parse(job(w)) for w in ["a", "b", word, "c", "d", word, "e"]))

    results = asyncio.run(go())
    assert [r.title for r in results if isinstance(r, ParsedFeed)] == ["a", "b", "c", "d", "e"]
    failures = [r for r in results if isinstance(r, ParseFailed)]
    assert len(failures) == 2
    for failure in failures:
        assert failure.reason is FailureReason.PARSE
        assert says in failure.detail
        assert failure.detail.isprintable()
        assert len(failure.detail) <= 300


def test_rule_16_bodies_that_take_long_wait_for_each_other(monkeypatch):
    """Rule 16: with every worker kept busy by bodies that never end, other feeds are parsed before these are given up."""
    monkeypatch.setattr("aggregator.parsing.pool._FAST_CPU_S", 1)

    async def go():
        async with bad(cpu_s=2) as pool:
            ends = [asyncio.create_task(pool.parse(job("spin 900", f"https://h{n}.example/"))) for n in range(3)]
            await asyncio.sleep(0)
            good = await pool.parse(job("good"))
            overtook = not all(end.done() for end in ends)
            done = await asyncio.gather(*ends)
            again = asyncio.create_task(pool.parse(job("spin 900", "https://h0.example/")))
            await asyncio.sleep(0)
            known = not pool._fast.qsize()  # straight to the slow lane
            await pool.parse(job("good"))
            overtook = overtook and not again.done()
            again.cancel()
            return good, overtook, known, done

    good, overtook, known, done = asyncio.run(go())
    assert good.title == "good"
    assert overtook
    assert known
    assert all("more than 2 s" in r.detail for r in done)


def test_a_slow_body_gets_its_full_time(monkeypatch):
    """What takes more than the fast lane gives is parsed in the slow one."""
    monkeypatch.setattr("aggregator.parsing.pool._FAST_CPU_S", 1)

    async def go():
        async with bad(cpu_s=20, workers=1) as pool:
            return await pool.parse(job("spin 2"))

    assert asyncio.run(go()).title == "spin"


def test_a_worker_that_hangs_without_cpu_is_killed(monkeypatch):
    """A limit of wall time ends what no limit of CPU does."""
    monkeypatch.setattr("aggregator.parsing.processes._WALL_MORE_S", 0.2)

    async def go():
        async with bad(cpu_s=1) as pool:
            return await pool.parse(job("sleep 900"))

    assert "keeps the parser busy" in asyncio.run(go()).detail


def test_workers_are_replaced_after_many_jobs(monkeypatch):
    """No leak of a library lasts: a worker ends after its share of jobs."""
    monkeypatch.setattr("aggregator.parsing.pool._RECYCLE", 10)

    async def go():
        async with bad(workers=1) as pool:
            return [(await pool.parse(job("pid"))).title for _ in range(35)]

    pids = asyncio.run(go())
    assert len(set(pids)) == 4


def test_the_pool_survives_the_death_of_its_processes():
    """Workers and the template killed from outside (by the kernel, short of memory) are replaced."""

    async def go():
        async with bad(workers=1) as pool:
            worker = int((await pool.parse(job("pid"))).title)
            os.kill(worker, signal.SIGKILL)
            await until(lambda: not alive(worker))
            await asyncio.sleep(0.1)  # the loop hears of it
            again = await pool.parse(job("pid"))
            process = pool._workers._template.process
            os.kill(process.pid, signal.SIGKILL)
            await until(lambda: process.returncode is not None and not alive(int(again.title)))
            await asyncio.sleep(pool._workers._pause_s + 0.6)  # past the pause between two starts
            return again, await pool.parse(job("pid"))

    first, second = asyncio.run(go())
    assert isinstance(first, ParsedFeed)
    assert isinstance(second, ParsedFeed), second


def test_a_template_that_does_not_start_is_not_started_again_and_again(monkeypatch):
    """When the parser cannot be imported, jobs fail at once with a reason, and starts are rare."""

    async def go():
        async with ParsePool(Limits(), parser="no_such_module:parse") as pool:
            began = time.monotonic()
            with monkeypatch.context() as patch:
                starts, spawn = [], pool._workers._spawn

                def counted(control):
                    starts.append(control)
                    return spawn(control)

                patch.setattr(pool._workers, "_spawn", counted)
                results = [await pool.parse(job("a")) for _ in range(100)]
            return results, len(starts), time.monotonic() - began

    results, starts, took = asyncio.run(go())
    assert {r.reason for r in results} == {FailureReason.INTERNAL}
    assert 1 <= starts <= 2 + took / 0.5  # never two within the pause, which grows from half a second
    assert starts < 20


def test_a_stop_while_the_template_starts_leaves_nothing():
    """A stop in the first moment answers the job and ends the process that is still importing."""
    before = set(processes(os.getpid()))

    async def go():
        pool = ParsePool(Limits())
        await pool.start()
        task = asyncio.create_task(pool.parse(job(FEED)))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await pool.aclose()
        return await task, time.monotonic() - began

    result, took = asyncio.run(go())
    assert result.reason is FailureReason.INTERNAL
    assert took < 30  # two seconds when the machine has time; it never waits for the import to end by itself
    assert set(processes(os.getpid())) <= before


def test_a_system_without_room_for_processes_is_that_job_alone(monkeypatch):
    """When no process can be started, or an error of ours strikes, the job fails and the lanes go on."""

    async def no_room(*_, **__):
        raise OSError(11, "Resource temporarily unavailable")

    async def go():
        async with bad(workers=1) as pool:
            with monkeypatch.context() as patch:
                patch.setattr(asyncio, "create_subprocess_exec", no_room)
                first = await pool.parse(job("a"))
            await asyncio.sleep(0.6)
            return first, await pool.parse(job("b"))

    first, second = asyncio.run(go())
    assert first.reason is FailureReason.INTERNAL
    assert "unavailable" in first.detail
    assert second.title == "b"


def test_a_stop_is_quick_and_leaves_nothing(monkeypatch):
    """Within two seconds all jobs are answered and all processes gone, busy ones too."""
    monkeypatch.setattr("aggregator.parsing.pool._FAST_CPU_S", 600)  # the two workers stay the same

    async def go():
        pool = bad(cpu_s=600)
        await pool.start()
        await pool.parse(job("pid"))
        tasks = [asyncio.create_task(pool.parse(job("spin 900"))) for _ in range(10)]
        template = pool._workers._template.process.pid
        await until(lambda: len(processes(template)) >= 2)
        workers = processes(template)
        began = time.monotonic()
        await pool.aclose()
        took = time.monotonic() - began
        pids = [template, *workers]
        await until(lambda: not any(map(alive, pids)))
        return await asyncio.gather(*tasks), await pool.parse(job("late")), took, pids

    results, late, took, pids = asyncio.run(go())
    assert took < 30  # of 900 s and more; two seconds when the machine has time
    assert {r.reason for r in [*results, late]} == {FailureReason.INTERNAL}
    assert len(pids) == 3
    assert not any(map(alive, pids))


PROGRAM = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from datetime import UTC, datetime
from aggregator.config import Limits
from aggregator.models import ParseJob
from aggregator.parsing import pool as module

module._FAST_CPU_S = 600  # the busy worker stays the same

async def go():
    async with module.ParsePool(Limits(cpu_s=600), parser="misbehaving:parse") as pool:
        job = ParseJob(b"pid", "u", datetime(2026, 1, 1, tzinfo=UTC))
        worker = (await pool.parse(job)).title
        asyncio.create_task(pool.parse(ParseJob(b"spin 900", "u", datetime(2026, 1, 1, tzinfo=UTC))))
        await asyncio.sleep(0.3)
        print(worker, pool._workers._template.process.pid, flush=True)
        await asyncio.sleep(900)

asyncio.run(go())
"""


def test_the_processes_die_with_the_program_and_not_before():
    """Kill -9 of the program ends its workers, busy ones too; SIGTERM and SIGINT to all do not end them before it."""
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(HERE)], stdout=subprocess.PIPE, text=True)
    with program:
        template = int(program.stdout.readline().split()[1])
        asyncio.run(until(lambda: len(processes(template)) == 2))
        pids = [template, *processes(template)]
        assert len(pids) == 3
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            for pid in pids:
                os.kill(pid, number)
        time.sleep(0.3)
        assert set(processes(template)) == set(pids[1:])
        program.kill()
    asyncio.run(until(lambda: not any(map(alive, pids))))
    assert not any(map(alive, pids))
