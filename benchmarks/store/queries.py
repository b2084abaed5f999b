"""Time every documented query, and the reader's methods, on a database: python benchmarks/store/queries.py FILE.

Each query runs seven times; the medians of the last five are printed, in milliseconds: of the processor time that it took,
which is the whole time on a machine with nothing else to do (warm: no disk is read), and of the time on the clock. FILE
comes from generate.py. The exit status is 1 when one is too slow.
"""

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aggregator.models import iso
from aggregator.store.reader import Reader, open_reader
from aggregator.store.schema_doc import examples

LIMIT_MS = 50.0
NEWEST = 20_000  # items whose words are counted


def values(reader: Reader) -> dict[str, Any]:
    """Values that make the queries work: the largest story of the last day, a word in every fiftieth item."""
    top = reader.query(
        """SELECT story_id, lead_item_id FROM stories WHERE merged_into IS NULL AND outlet_count > 1 AND last_item_at >= ?
           ORDER BY item_count DESC LIMIT 1""",
        (iso(datetime.now(UTC) - timedelta(days=1)),),  # noqa: TID251
    )[0]
    ranked, word = frequent_words(reader)
    han = reader.query("SELECT title FROM items WHERE language = 'zh' ORDER BY item_id DESC LIMIT 1")[0]["title"]
    return {
        "item_id": top["lead_item_id"], "story_id": top["story_id"], "feed_id": 3, "country": "FR", "word": word,
        "two_words": f"{ranked[0]} AND {ranked[1]}", "characters": han[:3],
        "seq": reader.query("SELECT max(seq) - 1000 AS seq FROM changes")[0]["seq"], "common": ranked[0], "han": han[:2],
    }  # fmt: skip


def frequent_words(reader: Reader) -> tuple[list[str], str]:
    """The words of the newest items, the most frequent first, and the most frequent of those in at most 2 % of the items."""
    texts = reader.query("SELECT title || ' ' || summary AS text FROM items ORDER BY item_id DESC LIMIT ?", (NEWEST,))
    found = Counter(word for row in texts for word in set(row["text"].split()) if word.isascii())
    ranked = sorted(found, key=lambda word: (-found[word], word))
    return ranked, next(word for word in ranked if found[word] <= NEWEST / 50)


slow: list[str] = []


def timed(question: str, run: Callable[[], list[Any]]) -> None:
    took, clock = [], []
    for _ in range(7):
        began, cpu = time.perf_counter(), time.thread_time()
        rows = run()
        took.append(1000 * (time.thread_time() - cpu))
        clock.append(1000 * (time.perf_counter() - began))
    middle = statistics.median(took[2:])
    if middle > LIMIT_MS:
        slow.append(question)
    print(
        f"{'TOO SLOW' if middle > LIMIT_MS else '':8} {middle:8.2f} ms ({statistics.median(clock[2:]):6.1f} on the clock) "
        f"{len(rows):5} rows  {question}", flush=True,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    now = datetime.now(UTC)  # noqa: TID251
    with open_reader(path) as reader:
        given = values(reader)
        print(given)
        for name in ("word", "common"):
            sql = "SELECT count(*) AS n FROM search_words WHERE search_words MATCH ?"
            print(f"{name}: {reader.query(sql, (given[name],))[0]['n']} matches")
        for example in examples():
            used = {name: value for name, value in given.items() if f":{name}" in example.sql}
            timed(f"{example.view}: {example.question}", lambda sql=example.sql, used=used: reader.query(sql, used))
        for example in (e for e in examples() if e.view == "search" and ":word" in e.sql):
            timed(
                f"of the most frequent word: {example.question}",
                lambda sql=example.sql: reader.query(sql, {"word": given["common"]}),
            )
        day = now - timedelta(days=1)
        timed("Reader.stories, 24 h", lambda: reader.stories(day, 30))
        timed("Reader.stories, 24 h, of a country in a language", lambda: reader.stories(day, 30, "FR", "fr", 3))
        timed("Reader.search, a word", lambda: reader.search(given["word"]))
        timed("Reader.search, the most frequent word", lambda: reader.search(given["common"]))
        timed("Reader.search, two Chinese characters", lambda: reader.search(given["han"]))
        timed("Reader.story", lambda: [reader.story(given["story_id"])])
        timed("Reader.changes", lambda: reader.changes(given["seq"]))
        timed("Reader.counts", lambda: [reader.counts(now)])
        timed("Reader.health", lambda: [reader.health(now)])
        items = reader.query("SELECT count(*) AS n FROM items")[0]["n"]
        pages = reader.query("SELECT name, sum(pgsize) AS size FROM dbstat GROUP BY name ORDER BY size DESC")
        print(f"{path}: {sum(p['size'] for p in pages) / items:.0f} bytes an item, {items} items")
        for page in pages[:16]:
            print(f"{page['size'] / items:8.0f}  {page['name']}")
    sys.exit(bool(slow))


if __name__ == "__main__":
    main()
