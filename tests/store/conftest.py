"""A database that is made by the writer itself, and short ways to say what a feed brought."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.cleaning import title_key
from aggregator.models import (
    Assignment,
    DateSource,
    EditedItem,
    FeedSpec,
    Fetched,
    Item,
    NewItem,
    ParsedFeed,
    PollRecord,
)
from aggregator.store.writer import open_writer

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)

SPECS = (
    FeedSpec("https://diena.example/rss", "Dienas Ziņas", "LV", "lv", timezone="Europe/Riga"),
    FeedSpec("https://paev.example/rss", "Päeva Teated", "EE", "et"),
    FeedSpec("https://daily.example/rss", "The Daily Lamp", "GB", "en"),
    FeedSpec("https://yomi.example/rss", "湾岸新聞", "JP", "ja"),
    FeedSpec("https://daily.example/sport.rss", "The Daily Lamp", "GB", "en", region="North"),
)


def make_item(name, title, **given):
    """An item as the parser makes it; `name` is its guid and the end of its URL."""
    url = given.pop("url", f"https://news.example/{name}")
    at = given.pop("at", NOW)
    values = {
        "guid": str(name), "url": url, "canonical_url": url, "title": title, "title_key": title_key(title),
        "summary": f"{title}, in more words.", "body": "", "body_html": "", "language": "en", "published_at": at,
        "published_raw": "Wed, 25 Feb 2026 06:23:00 GMT", "date_source": DateSource.FEED,
        "content_hash": f"hash of {title}", "entry_digest": str(name).encode().ljust(8, b".")[:8],
    }  # fmt: skip
    return Item(**{**values, **given})


class Desk:
    """Drives a writer as the service does."""

    def __init__(self, writer):
        self.writer = writer
        self.now = NOW

    def poll(self, url, *resolutions, result=None, parsed=None, minutes=30, **state):
        """One poll of a feed; bare items are new ones. What it brought."""
        feed = self.writer.feed(url)
        found = tuple(NewItem(r) if isinstance(r, Item) else r for r in resolutions)
        items = tuple(r.item for r in found)
        record = PollRecord(
            feed.state.feed_id, feed.outlet_id, self.now, result or Fetched(url, b"x", {}, elapsed_s=0.21, wire_bytes=900),
            replace(feed.state, **{"state": "ok", "last_poll_at": self.now, "next_poll_at": self.now + timedelta(minutes=minutes),
                                   "why": "every 30 min", "window": b"".join(i.entry_digest for i in items), **state}),
            parsed or ParsedFeed("A feed", "https://news.example/", "en", items, tuple(i.entry_digest for i in items)),
            found,
        )  # fmt: skip
        return self.writer.record_poll(record)

    def edit(self, url, item_id, item, *changed):
        """One poll that brings an edit."""
        return self.poll(url, EditedItem(item_id, item, changed))

    def group(self, *stories):
        """Put items into new stories, one a tuple of item ids; the story ids."""
        ids = []
        for members in stories:
            story_id = self.writer.next_story_id()
            assignments = [
                Assignment(item_id, story_id, n == 0, 1.0 if n == 0 else 0.9, members[0] if n else None)
                for n, item_id in enumerate(members)
            ]
            self.writer.apply_assignments(assignments, now=self.now)
            ids.append(story_id)
        return ids


@pytest.fixture
def path(tmp_path):
    """Where the database is."""
    return tmp_path / "data" / "aggregator.db"


@pytest.fixture
def writer(path):
    """The daemon's writer on a new database with five feeds of four countries."""
    with open_writer(path, now=NOW) as writer:
        writer.sync_feeds(SPECS, now=NOW)
        yield writer


@pytest.fixture
def desk(writer):
    """The writer, driven."""
    return Desk(writer)
