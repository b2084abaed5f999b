"""Two hundred hostile feeds and fifty good ones, polled together: does one feed delay another?

    python benchmarks/polling/hostile.py [--seconds 180] [--hostile 200] [--good 50]

Runs the stages as the daemon joins them (HostGate, Fetcher, ParsePool, decide), each feed on a host of its own, with a
floor of 30 s, and prints for the good feeds the longest time between two polls beside the interval, the most memory held
by this process and its workers, and the longest time for which the event loop did nothing else. Exit status 1 when a good
feed was polled later than twice its interval, memory passed 512 MB, or the loop stood still for 5 s.
"""

import argparse
import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hostile_server import KINDS

from aggregator.config import Fetching, Limits, Polling
from aggregator.models import Failed, FeedState, Fetched, NewItem, ParsedFeed, ParseFailed, ParseJob
from aggregator.parsing.pool import ParsePool
from aggregator.polling.fetch import Fetcher
from aggregator.polling.hosts import HostGate, host_of
from aggregator.polling.schedule import body_hash, decide, request_for

INTERVAL_S = 30


def now():
    return datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - this is the shell of the benchmark


def urls(port, good_port, hostile, good):
    """Each feed on an address of its own."""
    for number in range(hostile):
        yield f"http://127.1.{number // 250}.{1 + number % 250}:{port}/{KINDS[number % len(KINDS)]}/{number}"
    for number in range(good):
        yield f"http://127.2.0.{1 + number}:{good_port}/good/{number}"


def tree_mb(pid, without):
    """Proportional memory of a process and all below it (Linux), but for those of `without`."""
    total = 0.0
    pending = [pid]
    while pending:
        process = pending.pop()
        if process in without:
            continue
        try:
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) / 1024
            pending += [int(p) for p in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
        except (OSError, ProcessLookupError):
            continue
    return total


class Round:
    """The stages, joined as the daemon joins them."""

    def __init__(self, states, fetcher, gate, pool, settings):
        self.states = states
        self.fetcher, self.gate, self.pool, self.settings = fetcher, gate, pool, settings
        self.places = asyncio.Semaphore(64)
        self.busy = set()
        self.polls = {url: [] for url in states}
        self.intervals = {url: [] for url in states}
        self.outcomes = Counter()
        self.new = Counter()

    async def poll(self, url):
        """One feed, from the gate to the next poll."""
        state = self.states[url]
        async with self.places:
            started = now()
            self.polls[url].append(time.monotonic())
            result = await self.fetcher.fetch(request_for(state, started), self.gate.slot)
        parsed = None
        if isinstance(result, Fetched) and body_hash(result.body) != state.body_hash:
            seen = frozenset(state.window[i : i + 8] for i in range(0, len(state.window), 8))
            parsed = await self.pool.parse(ParseJob(result.body, url, started, seen=seen))
        items = parsed.items if isinstance(parsed, ParsedFeed) else ()
        self.new[url] += len(items)
        failure = result if isinstance(result, Failed) else parsed if isinstance(parsed, ParseFailed) else None
        kind = url.split("/")[3]
        self.outcomes[kind, failure.reason.value if failure else "ok", failure.detail[:70] if failure else ""] += 1
        resolutions = [NewItem(item) for item in items]
        decision = decide(
            state, result, parsed, resolutions, now=now(), jitter=random.uniform(-1, 1), settings=self.settings
        )
        self.states[url] = decision.state
        self.intervals[url].append((decision.state.next_poll_at - now()).total_seconds())
        if decision.hold:
            self.gate.hold(decision.hold.host, decision.hold.until)
        self.busy.discard(url)

    async def run(self, seconds):
        """Polls what is due, for so many seconds."""
        tasks = set()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            at = now()
            for url, state in self.states.items():
                if url not in self.busy and state.next_poll_at <= at and not self.gate.held(state.host, at):
                    self.busy.add(url)
                    task = asyncio.create_task(self.poll(url))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def watch(pid, without, found):
    """The longest gap of the loop, and the most memory."""
    checked = time.monotonic()
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.1)
        found["gap"] = max(found["gap"], time.monotonic() - before - 0.1)
        if time.monotonic() - checked > 1:
            checked = time.monotonic()
            found["mb"] = max(found["mb"], await asyncio.to_thread(tree_mb, pid, without))


async def measure(ports, servers, given):
    settings = Polling(first_interval_s=INTERVAL_S, floor_s=INTERVAL_S, ceiling_s=3600, jitter=0.1)
    states = {
        url: replace(FeedState(n, url, host_of(url), now()))
        for n, url in enumerate(urls(*ports, given.hostile, given.good), 1)
    }
    found = {"gap": 0.0, "mb": 0.0}
    fetching = Fetching(allow_networks=("127.0.0.0/8",), total_timeout_s=10.0, connect_timeout_s=5.0)
    async with Fetcher(fetching, version="0") as fetcher, ParsePool(Limits()) as pool:
        round_ = Round(states, fetcher, HostGate(1, 1.0), pool, settings)
        watcher = asyncio.create_task(watch(os.getpid(), servers, found))
        await round_.run(given.seconds)
        watcher.cancel()
    return round_, found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--hostile", type=int, default=200)
    parser.add_argument("--good", type=int, default=50)
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    script = Path(__file__).with_name("hostile_server.py")
    # The good feeds have a server of their own: it is the poller that is tested, not the server.
    servers = [subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        ports = [int(server.stdout.readline()) for server in servers]
        round_, found = asyncio.run(measure(ports, {server.pid for server in servers}, given))
    finally:
        for server in servers:
            server.kill()
            server.wait()
    good = [url for url in round_.polls if "/good/" in url]
    late = [
        (after - before) / max(due, 1)
        for url in good
        for (before, after), due in zip(itertools.pairwise(round_.polls[url]), round_.intervals[url], strict=False)
    ]
    first = max(round_.polls[url][0] for url in good) - min(times[0] for times in round_.polls.values() if times)
    if given.verbose:
        for outcome, count in sorted(round_.outcomes.items()):
            print(count, *outcome)
    print(f"polls of {len(good)} good feeds: {sum(len(round_.polls[u]) for u in good)}, of hostile ones: "
          f"{sum(len(t) for u, t in round_.polls.items() if u not in good)}")  # fmt: skip
    print(f"items of good feeds: at least {min(round_.new[u] for u in good)} each")
    print(f"time between two polls of a good feed, as a multiple of its interval: median {sorted(late)[len(late) // 2]:.2f}, "
          f"longest {max(late):.2f}")  # fmt: skip
    print(f"the last good feed was first polled after {first:.1f} s")
    print(f"most memory, with all workers: {found['mb']:.0f} MB; longest standstill of the loop: {found['gap']:.2f} s")
    sys.exit(max(late) > 2 or found["mb"] > 512 or found["gap"] > 5)


if __name__ == "__main__":
    main()
