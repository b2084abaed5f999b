"""Items a second and memory of the clusterer as the live window grows.

    speed.py [--sizes 10000,100000,300000,500000] [--items 400]

Made-up items of 30 languages: words of a Zipf distribution, names, numbers, vectors around topics as close to each other as
those of the labelled sets. A third of them tells of an event that others tell of too. The window is filled as a restart
fills it, then `--items` more are put in one by one: embedding apart, everything else of a decision is in the time, the
lead item of the story and its share of a repair pass too. Prints a table in Markdown; seconds are of CPU, of one core (set OMP_NUM_THREADS=1).
"""

import argparse
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from aggregator.config import Stories
from aggregator.models import StoryItem
from aggregator.stories.clusterer import Clusterer

START = datetime(2026, 2, 25, tzinfo=UTC)
HOURS = 96
VOCABULARY, NAMES, TOPICS, DIMENSIONS = 30_000, 150_000, 20_000, 384


@dataclass
class Stored:
    """An item in its story."""

    item: StoryItem
    story_id: int
    reprint_of: int | None = None


class News:
    """An endless stream of made-up items, the same for the same seed."""

    def __init__(self, live: int, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._live = live
        syllables = np.array([c + v for c in "bdfgklmnprstvz" for v in "aeiou"])
        self._words = ["".join(w) for w in syllables[self._random.integers(0, len(syllables), (VOCABULARY, 3))]]
        self._names = ["".join(w).title() for w in syllables[self._random.integers(0, len(syllables), (NAMES, 4))]]
        self._topics = self._random.standard_normal((TOPICS, DIMENSIONS)).astype(np.float32)
        self._shared = (
            self._random.standard_normal(DIMENSIONS).astype(np.float32) * 2.2
        )  # what all vectors have in common
        self._events: deque[tuple[list[str], int, int]] = deque(maxlen=5000)  # the latest, which others tell of too
        self._told = 0

    def item(self, number: int) -> tuple[StoryItem, int]:
        """The item and the number of its event."""
        rng = self._random
        if self._events and rng.random() < 1 / 3:
            names, topic, event = self._events[int(rng.integers(len(self._events)))]
        else:
            names = [self._names[int(i)] for i in (NAMES * rng.random(5) ** 2)]
            self._told += 1
            topic, event = int(rng.integers(TOPICS)), self._told
            self._events.append((names, topic, event))
        words = [self._words[int(i)] for i in VOCABULARY * rng.random(22) ** 3]
        title = " ".join([names[0], *words[:4], names[1], *words[4:7]])
        summary = " ".join(
            [*words[7:14], names[2], *words[14:], names[int(rng.integers(3, 5))], str(rng.integers(2, 900))]
        )
        own = np.random.default_rng(event).standard_normal(DIMENSIONS).astype(np.float32)
        noise = rng.standard_normal(DIMENSIONS).astype(np.float32)
        vector = self._shared + 0.5 * self._topics[topic] + 0.5 * own + 0.7 * noise
        vector /= np.linalg.norm(vector)
        at = START + timedelta(hours=HOURS * number / self._live)
        return StoryItem(
            number,
            title,
            summary,
            f"l{number % 30}",
            "LV",
            number % 5000,
            at,
            "",
            vector.astype(np.float16).astype(np.float32),
        ), event


def measure(live: int, items: int) -> str:
    news = News(live)
    clusterer = Clusterer(Stories())
    clusterer.add(news.item(0)[0])  # loads what is loaded once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    making = 0.0

    def stored() -> Iterator[Stored]:
        nonlocal making
        for number in range(1, live + 1):
            start = time.process_time()
            one = Stored(*news.item(number))
            making += time.process_time() - start
            yield one

    began = time.process_time()
    clusterer.restore(stored(), None)
    filled = time.process_time() - began - making
    more = [news.item(n)[0] for n in range(live + 1, live + items + 1)]
    began = time.process_time()
    for item in more:
        clusterer.add(item)
    added = time.process_time() - began
    leads = sorted({clusterer.add(item).story_id for item in more})
    began = time.process_time()
    for story_id in leads:
        clusterer.lead(story_id, "l1")
    led = time.process_time() - began
    began = time.process_time()
    clusterer.repair(more[-1].at)
    repaired = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (
        f"| {live:,} | {items / added:,.0f} | {items / (added + led + repaired):,.0f} | {filled:,.0f} | {peak / 1e6:.2f} "
        f"| {(peak - before) * 1024 / live:,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000,300000,500000")
    parser.add_argument("--items", type=int, default=400)
    args = parser.parse_args()
    sizes = args.sizes.split(",")
    if len(sizes) == 1:
        print(measure(int(sizes[0]), args.items), flush=True)
        return
    print("| live items | decisions/s | with lead and repair, items/s | rebuilt in s | peak GB | bytes an item |")
    print("|---:|---:|---:|---:|---:|---:|", flush=True)
    for size in sizes:  # each in a process of its own: a peak of memory never falls
        subprocess.run([sys.executable, __file__, "--sizes", size, "--items", str(args.items)], check=True)


if __name__ == "__main__":
    main()
