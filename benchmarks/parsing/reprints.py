"""Cost of recognising reprints as the number of live items grows: time of one add, memory of one item.

    .venv/bin/python benchmarks/parsing/reprints.py [items, default 500000]

Texts are made of invented words with the frequencies of Zipf's law; 5 % are copies with three words changed.
"""

import random
import resource
import sys
import time
from datetime import UTC, datetime, timedelta

from aggregator.stories.reprints import Reprints


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    rng = random.Random(7)
    syllables = [a + b for a in "bdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "is", "ot", "um")]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(40_000)]
    cumulative = [0.0]
    for rank in range(1, len(words) + 1):
        cumulative.append(cumulative[-1] + 1 / rank)
    cumulative = cumulative[1:]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    reprints, recent = Reprints(), []
    copies = found = wrong = 0
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{'live items':>10} {'us an add (CPU)':>16} {'MB':>6}")
    spent = 0.0
    for number in range(1, count + 1):
        at = start + timedelta(seconds=number * 96 * 3600 // count)
        copy = recent and rng.random() < 0.05
        if copy:
            text = rng.choice(recent).split()
            for _ in range(3):
                text[rng.randrange(len(text))] = rng.choice(words)
        else:
            text = rng.choices(words, cum_weights=cumulative, k=rng.randint(18, 40))
        title = " ".join(rng.choices(words, cum_weights=cumulative, k=8))
        summary = " ".join(text)
        before = time.process_time()
        answer = reprints.add(number, number % 20_000 if not copy else 20_000 + number % 1000, at, title, summary)
        spent += time.process_time() - before
        copies += bool(copy)
        found += bool(copy and answer)
        wrong += bool(answer and not copy)
        recent.append(summary)
        if len(recent) > 2000:
            del recent[:1000]
        if number % (count // 10) == 0:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base
            print(f"{number:>10} {spent / (count // 10) * 1e6:>16.0f} {grown / 1000:>6.0f}")
            spent = 0.0
    print(f"copies found: {found} of {copies}; others taken for copies: {wrong} of {count - copies}")


if __name__ == "__main__":
    main()
