"""A database with stories in many scripts, and the real `aggregator web` over it, for the tests of the pages."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from aggregator.cleaning import title_key
from aggregator.models import (
    Assignment,
    DateSource,
    Failed,
    FailureReason,
    FeedSpec,
    Fetched,
    Item,
    Merge,
    NewItem,
    ParsedFeed,
    PollRecord,
)  # fmt: skip
from aggregator.store.enrichment import MadeTexts
from aggregator.store.following import Wanted
from aggregator.store.texts import StoryTexts
from aggregator.store.writer import open_writer

__all__ = [
    "ARABIC",
    "ENGLISH",
    "HOSTILE",
    "JAPANESE",
    "LATVIAN",
    "PERSIAN",
    "Desk",
    "Newsroom",
    "article",
    "fill",
    "read_json",
    "served",
]

FEEDS = {
    "lv": FeedSpec("https://diena.example/rss", "Dienas Ziņas", "LV", "lv"),
    "et": FeedSpec("https://paev.example/rss", "Päeva Teated", "EE", "et"),
    "en": FeedSpec("https://lamp.example/rss", "The Daily Lamp", "GB", "en"),
    "us": FeedSpec("https://harbour.example/rss", "Harbour <i>& Bay</i> Post", "US", "en"),
    "ja": FeedSpec("https://wangan.example/rss", "湾岸新聞", "JP", "ja"),
    "ar": FeedSpec("https://marfa.example/rss", "صحيفة المرفأ", "EG", "ar"),
    "fa": FeedSpec("https://bandar.example/rss", "روزنامهٔ بندر", "IR", "fa"),
    "de": FeedSpec("https://leuchtturm.example/rss", "Leuchtturm am Sund", "DE", "de"),
}

LATVIAN = "Prāmja ugunsgrēkā Ventspilī cietuši divi cilvēki"
ENGLISH = "Two hurt as ferry burns off Ventspils"
ARABIC = "إصابة شخصين في حريق عبّارة قبالة ساحل لاتفيا"
PERSIAN = "دو زخمی در آتش‌سوزی کشتی مسافربری در دریای بالتیک"
JAPANESE = "ラトビア沖でフェリー火災、二人が負傷"
HOSTILE = "<script>document.title='owned'</script> & <img src=x onerror=alert(1)> \"wins\" prize"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2


@dataclass(frozen=True)
class Newsroom:
    """Where the database is, and the numbers of what is in it."""

    path: Path
    ids: dict
    ferry: int
    hostile: int
    merged: int
    start: datetime


def article(name, title, language, at, **given):
    """An item as the parser makes it."""
    url = given.pop("url", f"https://{language}.example/news/{name}")
    values = {
        "guid": name, "url": url, "canonical_url": url, "title": title, "title_key": title_key(title), "summary": "",
        "body": "", "body_html": "", "language": language, "published_at": at, "published_raw": at.isoformat(),
        "date_source": DateSource.FEED, "content_hash": name, "entry_digest": name.encode().ljust(8, b".")[:8],
    }  # fmt: skip
    return Item(**{**values, **given})


class Desk:
    """Fills a database through the daemon's own writer."""

    def __init__(self, writer, now):
        self.writer, self.now = writer, now

    def brings(self, feed, *items, **state):
        """One poll of a feed that brings new items; their numbers by name."""
        url = FEEDS[feed].url
        due = self.writer.feed(url)
        record = PollRecord(
            due.state.feed_id, due.outlet_id, self.now, Fetched(url, b"x", {}, elapsed_s=0.2, wire_bytes=900),
            replace(due.state, **{"state": "ok", "last_poll_at": self.now, "last_success_at": self.now, "window": b"", "cadence_s": 3600,
                                  "next_poll_at": self.now + timedelta(minutes=30), "why": "every 30 min", "last_new_item_at": self.now, **state}),
            ParsedFeed("A feed", "https://news.example/", "en", items, tuple(i.entry_digest for i in items)),
            tuple(NewItem(i) for i in items),
        )  # fmt: skip
        self.writer.record_poll(record)
        rows = self.writer.rows("SELECT item_id, guid, url FROM sightings JOIN items USING (item_id)")
        return {(row["guid"] or row["url"].rpartition("/")[2]): row["item_id"] for row in rows}

    def fails(self, feed, detail, failures):
        """One poll that fails, after others that did."""
        url = FEEDS[feed].url
        due = self.writer.feed(url)
        state = replace(
            due.state, state="failing", failures=failures, last_error=detail, last_poll_at=self.now, why="backing off",
            next_poll_at=self.now + timedelta(hours=6),
        )  # fmt: skip
        result = Failed(url, FailureReason.TIMEOUT, detail)
        self.writer.record_poll(PollRecord(due.state.feed_id, due.outlet_id, self.now, result, state))

    def groups(self, *members, reprints=()):
        """A new story of these items; its number. `reprints` repeat the first."""
        number = self.writer.next_story_id()
        self.writer.apply_assignments(
            [
                Assignment(m, number, n == 0, 1.0 - n / 100, members[0] if n else None, members[0] if m in reprints else None)
                for n, m in enumerate(members)
            ],
            now=self.now,
        )  # fmt: skip
        return number


def fill(path, now):
    """The database of the tests: a story in seven languages, one with hostile texts, one that was merged, loose items."""
    start = now - timedelta(hours=7)

    def at(minutes):
        return start + timedelta(minutes=minutes)

    with open_writer(path, now=now) as writer:
        writer.sync_feeds(tuple(FEEDS.values()), now=now)
        desk = Desk(writer, now)
        body = "Ugunsgrēks izcēlās mašīntelpā.\n\nApkalpe to nodzēsa stundas laikā."
        desk.brings("lv", article("lv1", LATVIAN, "lv", at(0), summary="Uz prāmja izcēlies ugunsgrēks.", body=body))
        desk.brings("et", article("et1", "Parvlaeva põlengus Ventspilsi lähedal sai kaks inimest viga", "et", at(35)))
        desk.brings(
            "en",
            article("en1", ENGLISH, "en", at(50), summary="The crew put out the fire within an hour.",
                    body="A fire broke out in the engine room.\n\nTwo of the crew were taken to hospital.\n\nThe ferry was towed to port."),
            article("en2", "Village choir sings for a hundred hours", "en", at(300), summary="It rained. The choir sang for a hundred hours."),
            article("en3", "Prize for a headline: " + HOSTILE, "en", at(310), url="javascript:alert(2)"),
        )  # fmt: skip
        desk.brings(
            "us",
            article("us1", ENGLISH + " (agency)", "en", at(75), summary="The crew put out the fire within an hour."),
            article("us2", HOSTILE, "en", at(305), summary=HOSTILE),
        )
        desk.brings(
            "ja", article("ja1", JAPANESE, "ja", at(130), summary="機関室から出火し、乗組員が一時間で消し止めた。")
        )
        desk.brings("ar", article("ar1", ARABIC, "ar", at(150), summary="تمكن الطاقم من إخماد الحريق خلال ساعة."))
        ids = desk.brings("fa", article("fa1", PERSIAN, "fa", at(400)))
        ids = desk.brings(
            "de",
            article("de1", "Fährbrand vor Ventspils: zwei Verletzte", "de", at(200), url="https://de.example/news/de1"),
            article("de2", LONG, "de", at(320), summary=LONG),
        )
        desk.fails("fa", "no answer within 30 s", 4)
        desk.brings("et", last_new_item_at=now - timedelta(days=9), cadence_s=3600)
        ferry = desk.groups(
            *(ids[n] for n in ("lv1", "et1", "en1", "us1", "ja1", "ar1", "fa1")), reprints=(ids["us1"],)
        )
        hostile = desk.groups(ids["en3"], ids["us2"])
        merged = desk.groups(ids["de1"])
        writer.apply_repairs([Merge(merged, ferry, "they tell of one event")], now=now)
        made = {"language": "en", "origin": "machine", "model": "babel-7b"}
        writer.save_item_texts(
            ids["lv1"],
            MadeTexts(title="Two people hurt in ferry fire at Ventspils", summary="A fire has broken out on a ferry.",
                      body="The fire broke out in the engine room.\n\nThe crew put it out within the hour.", **made),
            now=now,
        )  # fmt: skip
        writer.save_item_texts(
            ids["ar1"],
            MadeTexts(title="Two hurt in a ferry fire off Latvia's coast", summary="", body="", **made),
            now=now,
        )
        added = (
            (ids["us1"], "The port was closed until noon.", "extractive"),
            (ids["ar1"], "The crew put the fire out within an hour.", "machine"),
        )
        writer.save_story(
            ferry,
            [StoryTexts("en", ENGLISH, "The crew put out the fire within an hour.", (ids["en1"],), added)],
            now=now,
        )
        writer.save_story(hostile, [StoryTexts("en", sentences=((ids["us2"], HOSTILE, "extractive"),))], now=now)
        choir = MadeTexts("en", "", "The choir sang for a hundred hours.", "extractive")
        writer.seen(writer.follow(1000), {ids["en2"]: choir}, Wanted(), now=now)
    return Newsroom(path, ids, ferry, hostile, merged, start)


@contextmanager
def served(path, *options):
    """The real command over a database; the address of its front page."""
    command = [sys.executable, "-m", "aggregator", "--database", str(path), "web", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        said = process.stderr.readline()
        found = re.search(r"http://\S+?(?=/ )", said)
        assert found, said + process.stderr.read()
        yield found[0]
    finally:
        process.terminate()
        rest = process.communicate(timeout=20)[1]
    assert "Traceback" not in rest, rest


def read_json(response):
    """The JSON of an answer that must be fine."""
    assert response.status_code == 200, response.text
    return json.loads(response.text)
