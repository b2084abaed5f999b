"""A month of polling by the real schedule, on a virtual clock, beside polling at fixed intervals.

    python benchmarks/polling/simulate.py [--feeds 2000] [--days 30] [--seed 1]

The decisions are those of `aggregator.polling.schedule`, one for one; the feeds are made up:

- Rates are lognormal: a median of 8 items a day, one feed in twenty above 100, one in ten below one a week.
- Items follow the day of the feed's place (little by night, most in the morning) and the week, and come in bursts.
- Lists hold 10 to 100 entries, those of feeds with more than 100 items a day 20 to 200; an item that has left the list before a poll is missed.
- Of the servers 70 % answer 304 as they should, 10 % send validators and never 304, 20 % send none; of the feeds 15 %
  have a max-age and 25 % a ttl; 2 % are dead (404), 1 % were moved for good (301), 1 request in 100 fails by itself, and
  one host in 100 limits rates (429, for an hour) when it is asked more than 30 times an hour.
- Hosts: the 2,000 feeds live on 804 hosts, the largest with 93 feeds.
"""

import argparse
import heapq
import random
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from aggregator.config import Polling
from aggregator.models import (
    DateSource,
    Failed,
    FailureReason,
    FeedState,
    Fetched,
    Item,
    NewItem,
    NotModified,
    ParsedFeed,
    Redirect,
)
from aggregator.polling.schedule import body_hash, decide, request_for

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
HOURS = np.array([4, 2, 2, 2, 3, 6, 12, 20, 26, 28, 28, 26, 25, 24, 24, 24, 23, 22, 20, 18, 15, 12, 9, 6], float)
HOURS /= HOURS.mean()
WEEK = np.array([1.1, 1.1, 1.1, 1.1, 1.1, 0.8, 0.7])
SPACING_S = 1.0


@dataclass
class Feed:
    """A publisher's side of one feed."""

    number: int
    host: str
    times: np.ndarray  # of its items, seconds from START, ascending
    entries: int
    server: str  # honest, deaf, bare
    max_age: int
    ttl_s: int | None
    dead: bool
    moved: bool
    seen: int = 0  # items of `times` that a poll has found or missed
    missed: int = 0
    delays: list = field(default_factory=list)
    polls: int = 0
    early: int = 0  # polls before the publisher's own hint
    last_ok: float = -1e9


def make_feeds(count, days, rng):
    """The publishers."""
    feeds = []
    hosts = []
    weights = 1.0 / np.arange(1, 1400) ** 0.75
    chosen = rng.choice(len(weights), count, p=weights / weights.sum())
    for number in range(count):
        rate = min(float(np.exp(rng.normal(np.log(8), 1.7))), 600.0)
        zone = int(rng.integers(-8, 12))
        # items of the 40 days before too, so that the first poll finds a list
        hours = np.arange(-40 * 24, days * 24)
        local = (hours + zone) % 24
        week = WEEK[((hours + zone) // 24) % 7]
        intensity = rate / 24 * HOURS[local] * week
        bursts = rng.random(len(hours)) < 0.01
        intensity = np.where(bursts, intensity * 6, intensity)
        counts = rng.poisson(intensity)
        times = np.sort((np.repeat(hours, counts) + rng.random(counts.sum())) * 3600.0)
        hosts.append(f"h{chosen[number]}.example")
        feeds.append(
            Feed(
                number,
                hosts[-1],
                times,
                int(rng.choice([10, 15, 20, 30, 50, 100], p=[0.25, 0.1, 0.25, 0.15, 0.15, 0.1]))
                * (1 if rate < 100 else 2),
                str(rng.choice(["honest", "deaf", "bare"], p=[0.7, 0.1, 0.2])),
                int(rng.choice([0, 300, 900, 1800, 3600], p=[0.85, 0.06, 0.04, 0.03, 0.02])),
                None
                if rng.random() > 0.25
                else int(rng.choice([5, 15, 30, 60, 120], p=[0.15, 0.2, 0.2, 0.4, 0.05])) * 60,
                bool(rng.random() < 0.02),
                bool(rng.random() < 0.01),
            )
        )
        feeds[-1].seen = int(np.searchsorted(times, 0.0))
    return feeds


class World:
    """Servers, hosts and the count of what was asked of them."""

    def __init__(self, feeds, rng):
        self.feeds = feeds
        self.rng = rng
        self.asked = defaultdict(deque)  # by host: times of the last hour's requests
        self.limited = {f"h{n}.example" for n in range(1400) if rng.random() < 0.01}
        self.free_at = defaultdict(float)
        self.requests = self.not_modified = self.failures = 0
        self.burst = 0
        self.lateness = 0.0

    def turn(self, host, at, *, spaced):
        """When a request that is due `at` goes out."""
        if spaced:
            begins = max(at, self.free_at[host])
            self.free_at[host] = begins + SPACING_S
            self.lateness = max(self.lateness, begins - at)
            at = begins
        recent = self.asked[host]
        while recent and recent[0] < at - 3600:
            recent.popleft()
        recent.append(at)
        within = sum(1 for t in reversed(recent) if t > at - 60) if len(recent) > 1 else 1
        self.burst = max(self.burst, within)
        return at

    def answer(self, feed, at, etag):
        """What the server says: a status, and how many of its items are published."""
        self.requests += 1
        feed.polls += 1
        if feed.dead:
            return 404, 0
        if feed.host in self.limited and len(self.asked[feed.host]) > 30:
            self.failures += 1
            return 429, 0
        if self.rng.random() < 0.01:
            self.failures += 1
            return 500, 0
        hint = max(feed.max_age, feed.ttl_s or 0)
        feed.early += at - feed.last_ok < hint - 1
        feed.last_ok = at
        published = int(np.searchsorted(feed.times, at, side="right"))
        if feed.server == "honest" and etag == f'"{published}"':
            self.not_modified += 1
            return 304, published
        return 200, published

    @staticmethod
    def read(feed, at, published):
        """The items that the poll finds, after those of the list that were missed."""
        first = max(published - feed.entries, 0)
        if first > feed.seen:
            feed.missed += first - feed.seen
            feed.seen = first
        new = range(feed.seen, published)
        feed.delays.extend(at - feed.times[feed.seen : published])
        feed.seen = published
        return new


def item(feed, index):
    """One entry as the parser would give it."""
    at = START + timedelta(seconds=int(feed.times[index]))
    return Item(
        str(index), "u", "u", "t", "t", "", "", "", "en", at, "", DateSource.FEED, "", (index + 1).to_bytes(8, "big")
    )  # fmt: skip


def adaptive(feeds, days, seed):
    """The real schedule."""
    rng = random.Random(seed)
    world = World(feeds, rng)
    settings = Polling()
    holds = {}
    queue = []
    states = {}
    for feed in feeds:
        states[feed.number] = FeedState(feed.number, f"http://{feed.host}/{feed.number}", feed.host, START)
        heapq.heappush(queue, (0.0, feed.number))
    end = days * 86_400.0
    while queue and queue[0][0] < end:
        due, number = heapq.heappop(queue)
        feed, state = feeds[number], states[number]
        if holds.get(feed.host, 0.0) > due:
            heapq.heappush(queue, (holds[feed.host], number))
            continue
        at = world.turn(feed.host, due, spaced=True)
        now = START + timedelta(seconds=int(at))
        request = request_for(state, now)
        status, published = world.answer(feed, at, request.etag)
        parsed, resolutions = None, ()
        headers = {"cache-control": f"max-age={feed.max_age}"} if feed.max_age else {}
        hops = (Redirect(301, f"http://{feed.host}/new/{number}"),) if feed.moved and "/new/" not in state.url else ()
        if feed.server != "bare":
            headers["etag"] = f'"{published}"'
        if status == 200:
            body = b"%d" % published
            result = Fetched(state.url, body, headers, redirects=hops)
            if body_hash(body) != state.body_hash:
                first = max(published - feed.entries, 0)
                fresh = world.read(feed, at, published)
                shown = fresh if state.last_success_at else range(first, published)
                resolutions = tuple(NewItem(item(feed, index)) for index in reversed(shown))
                digests = tuple((index + 1).to_bytes(8, "big") for index in reversed(range(first, published)))
                parsed = ParsedFeed("", "", "", (), digests, ttl_s=feed.ttl_s)
        elif status == 304:
            result = NotModified(state.url, headers, redirects=hops)
        else:
            reason = {404: FailureReason.HTTP, 429: FailureReason.RATE_LIMITED, 500: FailureReason.HTTP}[status]
            result = Failed(state.url, reason, f"HTTP {status}", status, {})
        jitter = rng.uniform(-1, 1)
        decision = decide(
            state, result, parsed, resolutions, now=now, jitter=jitter, settings=settings, request=request
        )
        states[number] = decision.state
        if decision.hold:
            holds[feed.host] = (decision.hold.until - START).total_seconds()
        heapq.heappush(queue, ((decision.state.next_poll_at - START).total_seconds(), number))
    return world, states


def fixed(feeds, days, seed, interval_s):
    """Every feed at the same interval, all started together, as most simple readers do."""
    world = World(feeds, random.Random(seed))
    etags = {}
    for at in np.arange(0.0, days * 86_400.0, interval_s):
        for feed in feeds:
            world.turn(feed.host, float(at), spaced=False)
            status, published = world.answer(feed, float(at), etags.get(feed.number))
            if status == 200:
                world.read(feed, float(at), published)
                etags[feed.number] = f'"{published}"' if feed.server != "bare" else None
    return world, {}


def span(seconds):
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def report(name, world, feeds, days, took):
    """One column of the table."""
    delays = np.concatenate([np.asarray(f.delays) for f in feeds])
    free = np.concatenate([np.asarray(f.delays) for f in feeds if not f.max_age and not f.ttl_s])
    living = [f for f in feeds if not f.dead]
    missed = sum(f.missed for f in living)
    per_feed = np.array([np.median(f.delays) for f in living if len(f.delays) > 5])
    return {
        "schedule": name,
        "requests": f"{world.requests:,}",
        "requests a feed and day": f"{world.requests / len(feeds) / days:.1f}",
        "answered 304": f"{world.not_modified / world.requests:.0%}",
        "items stored": f"{len(delays):,}",
        "items missed": f"{missed:,} ({missed / max(1, missed + len(delays)):.3%})",
        "missed of feeds without hints": f"{sum(f.missed for f in living if not f.max_age and not f.ttl_s):,}",
        "delay of an item, median": span(np.median(delays)),
        "delay of an item, p95": span(np.percentile(delays, 95)),
        "the same without publishers' hints": f"{span(np.median(free))} / {span(np.percentile(free, 95))}",
        "a feed's median delay, median feed": span(np.median(per_feed)),
        "requests before a publisher's hint": f"{sum(f.early for f in feeds) / world.requests:.1%}",
        "most requests to one host in a minute": str(world.burst),
        "longest wait at the gate": f"{world.lateness:.0f} s",
        "requests to dead feeds": f"{sum(f.polls for f in feeds if f.dead):,}",
        "answers 429 and 5xx": f"{world.failures:,}",
        "processor time of this run": f"{took:.0f} s",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=2000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="adaptive, 15 or 60")
    given = parser.parse_args()
    columns = []
    for name, run in (
        ("adaptive", adaptive),
        ("every 15 min", lambda *a: fixed(*a, 900)),
        ("every 60 min", lambda *a: fixed(*a, 3600)),
    ):
        if given.only and given.only not in name:
            continue
        feeds = make_feeds(given.feeds, given.days, np.random.default_rng(given.seed))
        began = time.process_time()
        world, _ = run(feeds, given.days, given.seed)
        columns.append(report(name, world, feeds, given.days, time.process_time() - began))
    for row in columns[0]:
        print("| " + " | ".join([row, *(column[row] for column in columns)]) + " |")
        if row == "schedule":
            print("|---" * (len(columns) + 1) + "|")


if __name__ == "__main__":
    main()
