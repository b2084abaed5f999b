"""How long parsing takes: a whole new feed, a feed of 30 entries with 2 new ones, an unchanged one.

    AGGREGATOR_SHARED=FOLDER .venv/bin/python benchmarks/parsing/speed.py [feeds, default 300]

FOLDER/bench/feedserver.py makes the bodies: RSS 2.0, Atom and RDF of 30 entries in 18 languages, 15-37 kB each. Times are CPU
seconds of this machine's core, which do not depend on what else runs on it as wall seconds do; both are printed.
"""

import importlib.util
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from aggregator.config import Limits
from aggregator.models import ParsedFeed, ParseJob
from aggregator.parsing.feed import parse

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIMITS = Limits()


def feedserver() -> ModuleType:
    path = Path(os.environ["AGGREGATOR_SHARED"]) / "bench" / "feedserver.py"
    spec = importlib.util.spec_from_file_location("feedserver", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["feedserver"] = module
    spec.loader.exec_module(module)
    return module


def jobs(feeds: Any, count: int) -> list[ParseJob]:
    return [
        ParseJob(feeds.render(n)[0][1], f"http://127.0.1.1/f/{n}.xml", NOW, "text/xml; charset=utf-8", feeds.meta(n)[0])
        for n in range(count)
    ]


def measure(name: str, work: list[ParseJob], run: Callable[[ParseJob], Any]) -> None:
    run(work[0])
    wall, cpu = time.perf_counter(), time.process_time()
    for job in work:
        run(job)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:34} {cpu / len(work) * 1e3:8.2f} {wall / len(work) * 1e3:8.2f} {len(work) / cpu:10.0f}")


def cold(job: ParseJob) -> int:
    found = parse(job, LIMITS)
    if not isinstance(found, ParsedFeed) or len(found.items) != 30:
        raise AssertionError(found)
    return len(found.items)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    module = feedserver()
    base = int(NOW.timestamp()) // 86400 * 86400
    words = str(Path(os.environ["AGGREGATOR_SHARED"]) / "bench" / "words.json.gz")
    feeds = module.Feeds(count, 42, 250, 18080, base, words)
    first = jobs(feeds, count)
    print(f"{count} feeds, {sum(len(job.body) for job in first) / count / 1000:.1f} kB each")
    print(f"{'':34} {'CPU ms':>8} {'wall ms':>8} {'feeds/CPU s':>10}")
    measure("new feed, 30 entries", first, cold)
    seen = [parse(job, LIMITS) for job in first]
    feeds.gen = [2] * count
    second = [
        replace(job, seen=frozenset(old.digests))
        for job, old in zip(jobs(feeds, count), seen, strict=True)
        if isinstance(old, ParsedFeed)
    ]
    new = sum(len(found.items) for found in (parse(job, LIMITS) for job in second) if isinstance(found, ParsedFeed))
    if new != 2 * count:
        raise AssertionError(f"{new} new items instead of {2 * count}")
    measure("30 entries, 2 of them new", second, lambda job: parse(job, LIMITS))
    same = [
        replace(job, seen=frozenset(old.digests))
        for job, old in zip(first, seen, strict=True)
        if isinstance(old, ParsedFeed)
    ]
    measure("30 entries, none new", same, lambda job: parse(job, LIMITS))
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(cold, first[:4]))
        start = time.perf_counter()
        list(pool.map(cold, first, chunksize=10))
        print(f"two processes, new feeds: {count / (time.perf_counter() - start):.0f} feeds a second of wall time")


if __name__ == "__main__":
    main()
