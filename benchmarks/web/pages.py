"""Time the pages of a database as a browser meets them: python benchmarks/web/pages.py FILE.

Starts the real `aggregator web` over FILE (from benchmarks/store/generate.py) and asks for each page eleven times. Printed in
milliseconds: the median of the server's processor time, which is what counts on a machine with other work (Linux); median
and first of the whole answer on the clock; and the size in kB.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import httpx

from aggregator.store.reader import open_reader


def addresses(path: Path) -> dict[str, str]:
    """One page of each kind, the largest story of the last day and a frequent word among them."""
    with open_reader(path) as reader:
        story = reader.query(
            """SELECT story_id, lead_item_id, item_count FROM stories WHERE merged_into IS NULL AND outlet_count > 1
               AND last_item_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day') ORDER BY item_count DESC LIMIT 1"""
        )[0]
        typical = reader.query(
            """SELECT story_id, item_count FROM stories WHERE merged_into IS NULL AND outlet_count BETWEEN 8 AND 12
               ORDER BY story_id DESC LIMIT 1"""
        )[0]
        texts = reader.query("SELECT title || ' ' || summary AS text FROM items ORDER BY item_id DESC LIMIT 20000")
        han = reader.query("SELECT title FROM items WHERE language = 'zh' ORDER BY item_id DESC LIMIT 1")[0]["title"]
    count = Counter(word for row in texts for word in set(row["text"].split()) if word.isascii())
    ranked = sorted(count, key=lambda word: (-count[word], word))
    frequent = next(word for word in ranked if count[word] <= len(texts) / 50)
    return {
        "front page, 24 hours": "/",
        "front page, 24 hours, a country and a language": "/?country=FR&language=fr",
        "front page, 7 days": "/?since=7d",
        "front page, 30 days": "/?since=30d",
        f"story of {typical['item_count']} items": f"/story/{typical['story_id']}",
        f"story of {story['item_count']} items": f"/story/{story['story_id']}",
        f"item with {story['item_count'] - 1} similar": f"/item/{story['lead_item_id']}",
        "search, a word in every fiftieth item": f"/search?q={quote(frequent)}",
        "search, the most frequent word": f"/search?q={quote(ranked[0])}",
        "search, two Chinese characters": f"/search?q={quote(han[:2])}",
        "feeds": "/feeds",
        "Datasette: coverage": "/aggregator/coverage",
        "Datasette: items": "/aggregator/items",
    }


def processor_ms(pid: int) -> float:
    """What a process has used so far, all threads."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    pages = addresses(path)
    command = [sys.executable, "-m", "aggregator", "--database", str(path), "web", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None  # noqa: S101 - for the type checker
        found = re.search(r"http://\S+(?=/ )", process.stderr.readline())
        try:
            if found is None:
                raise SystemExit(process.stderr.read())
            with httpx.Client(base_url=found[0], timeout=60) as client:
                for name, address in pages.items():
                    took, used = [], []
                    for _ in range(11):
                        began, cpu = time.perf_counter(), processor_ms(process.pid)
                        answer = client.get(address)
                        took.append(1000 * (time.perf_counter() - began))
                        used.append(processor_ms(process.pid) - cpu)
                        answer.raise_for_status()
                    size = len(answer.content) / 1000
                    print(
                        f"{statistics.median(used[1:]):8.1f} ms ({statistics.median(took[1:]):7.1f} on the clock, the first: "
                        f"{took[0]:7.1f}) {size:7.1f} kB  {name}", flush=True,
                    )  # fmt: skip
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
