import json
from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.errors import NotFoundError, UsageError
from aggregator.models import (
    Duplicate,
    EditedItem,
    Failed,
    FailureReason,
    FeedSpec,
    HostHold,
    NewItem,
    NotModified,
    ParseFailed,
    SameItem,
)
from aggregator.store import items, polls, timetable
from aggregator.store.catalogue import SyncResult
from aggregator.store.enrichment import Call, PageText
from aggregator.store.reader import open_reader

from .conftest import NOW, SPECS, make_item

DIENA, PAEV, DAILY, YOMI, SPORT = (spec.url for spec in SPECS)


def kinds(writer, kind=None):
    """The kinds of all changes, or the details of those of one kind."""
    rows = writer.rows("SELECT kind, detail FROM changes ORDER BY seq")
    return [r["kind"] for r in rows] if kind is None else [json.loads(r["detail"]) for r in rows if r["kind"] == kind]


# --- the catalogue ------------------------------------------------------------------------------------------------


def test_sync_tells_what_changed(writer):
    """The catalogue read twice changes nothing; a changed line, a new one and one that left are counted and recorded."""
    assert writer.sync_feeds(SPECS, now=NOW) == SyncResult()
    new = FeedSpec("https://new.example/rss", "New", "LV", "lv")
    later = [replace(SPECS[0], region="Rīga"), *SPECS[1:3], new]
    assert writer.sync_feeds(later, now=NOW) == SyncResult(added=1, changed=1, removed=2)
    assert writer.feed(DIENA).spec.region == "Rīga"
    assert writer.feed(YOMI) is None
    assert {d["to"] for d in kinds(writer, "feed_state")} == {"new", "removed"}
    assert writer.sync_feeds([*later, *SPECS[3:]], now=NOW) == SyncResult(added=2)
    assert writer.feed(YOMI).spec == SPECS[3]


def polled(writer):
    """The feeds that are polled, in the order in which they are due."""
    return writer.due(NOW + timedelta(days=365), 1000, per_host=1000)


def test_a_feed_that_comes_back_goes_on_where_it_was(writer, desk):
    """Its validators, window and next poll are kept while a feed is out of the catalogue: no early poll, no item twice."""
    desk.poll(DIENA, make_item(1, "One"), etag='W/"a-gzip"', minutes=600)
    writer.sync_feeds(SPECS[1:], now=NOW)
    assert DIENA not in {f.spec.url for f in polled(writer)}
    writer.sync_feeds(SPECS, now=NOW + timedelta(minutes=5))
    feed = writer.feed(DIENA)
    assert feed.state.etag == 'W/"a-gzip"'
    assert feed.state.window
    assert feed.state.next_poll_at == NOW + timedelta(minutes=600)


def test_first_polls_of_one_host_are_spread(path):
    """500 new feeds, 200 of one host: other hosts' begin at once, this host's one after the other within three minutes."""
    from aggregator.store.writer import open_writer

    specs = [FeedSpec(f"https://{'big' if n < 200 else f'h{n}'}.example/{n}", f"O{n}") for n in range(500)]
    with open_writer(path, now=NOW) as writer:
        writer.sync_feeds(specs, now=NOW)
        feeds = polled(writer)
    first = [(f.state.next_poll_at - NOW).total_seconds() for f in feeds if f.state.host == "big.example"]
    rest = [f.state.next_poll_at for f in feeds if f.state.host != "big.example"]
    assert set(rest) == {NOW}
    assert max(first) < 180
    assert len([s for s in first if s < 1]) <= 2
    assert sorted(first) == pytest.approx([0.9 * n for n in range(200)], abs=1)


def test_commands_add_pause_and_remove(writer):
    """A feed that a command added survives a new catalogue, can be paused and removed, and come back."""
    spec = FeedSpec("https://mine.example/rss", "Mine", "FR", "fr")
    feed_id = writer.add_feed(spec, now=NOW)
    writer.sync_feeds(SPECS, now=NOW)
    assert writer.feed(spec.url).spec == spec
    writer.set_paused(spec.url, True, now=NOW)
    assert spec.url not in {f.spec.url for f in writer.due(NOW, 100)}
    writer.set_paused(spec.url, False, now=NOW)
    assert spec.url in {f.spec.url for f in writer.due(NOW, 100)}
    writer.remove_feed(spec.url, now=NOW)
    assert writer.feed(spec.url) is None
    assert writer.add_feed(spec, now=NOW) == feed_id
    moves = [(d["from"], d["to"]) for d in kinds(writer, "feed_state")[len(SPECS) :]]
    assert moves == [(None, "new"), ("new", "off"), ("off", "new"), ("new", "removed"), ("removed", "new")]


def test_commands_that_make_no_sense(writer):
    """Each mistake has its own error with the URL and what to do."""
    with pytest.raises(NotFoundError, match="feeds list"):
        writer.remove_feed("https://none.example/", now=NOW)
    with pytest.raises(UsageError, match="catalogue"):
        writer.remove_feed(DIENA, now=NOW)
    with pytest.raises(UsageError, match="already in the catalogue"):
        writer.add_feed(SPECS[0], now=NOW)
    for url in ("ftp://a.example/", "no url", "https://", "http://[::1", "javascript:alert(1)"):
        with pytest.raises(UsageError, match="not a URL"):
            writer.add_feed(FeedSpec(url, "X"), now=NOW)
    with pytest.raises(UsageError, match="not paused"):
        writer.set_paused(DIENA, False, now=NOW)


# --- which are due ------------------------------------------------------------------------------------------------


def test_due_takes_one_a_host_oldest_first(writer, desk):
    """At most one feed a host, none of a busy or held host, none before its time, the longest due first."""
    later = NOW + timedelta(hours=1)
    desk.poll(PAEV, minutes=20)
    desk.poll(YOMI, minutes=10)
    desk.poll(DIENA, minutes=90)
    assert [f.spec.url for f in writer.due(later, 10)] == [DAILY, YOMI, PAEV]
    assert [f.spec.url for f in writer.due(later, 2)] == [DAILY, YOMI]
    assert [f.spec.url for f in writer.due(later, 10, per_host=2)] == [DAILY, SPORT, YOMI, PAEV]
    assert [f.spec.url for f in writer.due(later, 10, busy_hosts={"daily.example"})] == [YOMI, PAEV]
    record_hold(desk, HostHold("yomi.example", later + timedelta(minutes=1), "429"))
    assert [f.spec.url for f in writer.due(later, 10)] == [DAILY, PAEV]
    assert [f.spec.url for f in writer.due(later + timedelta(minutes=2), 10)] == [DAILY, YOMI, PAEV]


def record_hold(desk, hold):
    """A poll of another feed whose answer holds a host."""
    feed = desk.writer.feed(DIENA)
    from aggregator.models import PollRecord

    failed = Failed(DIENA, FailureReason.RATE_LIMITED, "429", 429)
    desk.writer.record_poll(PollRecord(feed.state.feed_id, feed.outlet_id, NOW, failed, feed.state, hold=hold))


def test_a_shorter_hold_does_not_end_a_longer_one(writer, desk):
    """A second, shorter Retry-After of a host leaves the first one's end."""
    record_hold(desk, HostHold("yomi.example", NOW + timedelta(hours=5), "429"))
    record_hold(desk, HostHold("yomi.example", NOW + timedelta(hours=1), "503"))
    assert writer.value("SELECT until FROM host_holds") == "2026-02-25T11:23:00Z"


def test_the_clock_went_back(writer, desk):
    """Feeds polled in what is now the future wait their interval from now on, others keep their time; holds end in a week."""
    desk.now = NOW + timedelta(days=400)
    desk.poll(DIENA, minutes=45)
    record_hold(desk, HostHold("x.example", NOW + timedelta(days=500), "429"))
    assert writer.heal_clock(NOW) == 1
    assert writer.feed(DIENA).state.next_poll_at == NOW + timedelta(minutes=45)
    assert writer.feed(PAEV).state.next_poll_at == NOW
    assert writer.value("SELECT until FROM host_holds") == "2026-03-04T06:23:00Z"


def test_counts_and_make_due(writer, desk):
    """What the service shows: feeds, never polled, items, stories; and that everything can be made due."""
    desk.poll(DIENA, make_item(1, "One"), make_item(2, "Two"))
    one, _ = desk.group((1,), (2,))
    assert writer.counts() == {"feeds": 5, "never_polled": 4, "items": 2, "stories": 2}
    assert writer.due_count(NOW) == 3  # one was polled, one of the twin feeds waits for its first turn
    writer.make_due(now=NOW)
    assert writer.due_count(NOW) == 5
    record_hold(desk, HostHold(writer.feed(DIENA).state.host, NOW + timedelta(hours=1), "429"))
    writer.make_due(now=NOW)
    assert writer.due_count(NOW) < 5  # nobody waits for a host that asked for a pause
    assert writer.due_count(NOW) == len(writer.due(NOW, 10, per_host=10))
    assert [writer.host_count(8), writer.host_count(3)] == [4, 3]
    assert one == 1


def plan(writer, sql, **values):
    """The steps in which SQLite carries out a query, those about names of outlets left out."""
    return [row["detail"] for row in writer.rows(f"EXPLAIN QUERY PLAN {sql}", values)]


def test_due_reads_one_index(writer):
    """What is due is found, in order, by one index that holds all it needs: it stays quick with 50,000 feeds."""
    steps = plan(writer, timetable._DUE, now="2026-02-25T06:23:00Z", busy="[]")
    assert steps[0] == "SEARCH feed_state USING COVERING INDEX feed_state_due (active=? AND next_poll_at<?)"
    assert {s for s in steps if s.startswith("SCAN") and "VIRTUAL" not in s} == {"SCAN host_holds"}  # a few rows
    assert not [s for s in steps if "TEMP B-TREE FOR ORDER" in s]


def test_what_is_known_is_found_by_keys(writer):
    """Each key of a body's entries is looked up by an index on all of it: a feed's history does not make its polls slow."""
    found = [
        plan(writer, items._BY_GUID, keys="[1]", feed=1)[1],
        plan(writer, items._BY_URL, keys='["u"]', outlet=1)[1],
        plan(writer, items._BY_TITLE, keys="[1]", outlet=1, since="2026")[1],
    ]
    assert found == [
        "SEARCH s USING PRIMARY KEY (feed_id=? AND guid_hash=?)",
        "SEARCH i USING INDEX items_by_url (canonical_url=?)",
        "SEARCH i USING INDEX items_by_title (outlet_id=? AND title_hash=?)",
    ]


# --- polls --------------------------------------------------------------------------------------------------------


def test_a_poll_is_stored_with_all_its_parts(writer, desk):
    """New items, their texts, sightings, the search index, what waits for a story, changes, validators, the log."""
    item = make_item(
        1, "Ferry runs aground", body="Long text.", body_html="<p>Long text.</p>", tags=("sea", "jūra"), author="A. B."
    )
    brought = desk.poll(DIENA, item, make_item(2, "Second"), etag='W/"1"', last_modified="Tue", body_hash="h")
    assert (brought.new, brought.edited) == ((1, 2), ())
    state = writer.feed(DIENA).state
    assert (state.etag, state.last_modified, state.state, state.body_hash) == ('W/"1"', "Tue", "ok", "h")
    with open_reader(writer.path) as reader:
        page = reader.item(1)
        assert page["label"] == "Feb 25 • 06:23 UTC"
        assert (page["flag"], page["country_name"], page["outlet"]) == ("🇱🇻", "Latvia", "Dienas Ziņas")
        assert (page["body"], page["text_origin"], page["tags"]) == ("Long text.", "feed", '["sea", "jūra"]')
        assert [r["item_id"] for r in reader.search("aground")] == [1]
        poll = reader.query("SELECT * FROM polls_recent")[0]
    assert (poll["outcome"], poll["status"], poll["elapsed_ms"], poll["bytes"]) == ("fetched", 200, 210, 900)
    assert (poll["entries"], poll["new_items"], poll["next_poll_at"]) == (2, 2, "2026-02-25T06:53:00Z")
    assert [i.item_id for i in writer.to_cluster(10)] == [1, 2]
    assert kinds(writer)[-3:] == ["new", "new", "feed_state"]
    assert writer.value("SELECT title FROM feeds WHERE url = ?", (DIENA,)) == "A feed"


@pytest.mark.parametrize(
    ("result", "parsed", "outcome", "reason"),
    [
        (NotModified(DIENA, {}), None, "not_modified", None),
        (Failed(DIENA, FailureReason.DNS, "no such host"), None, "failed", "dns"),
        (None, ParseFailed(FailureReason.NOT_A_FEED, "a web page"), "failed", "not_a_feed"),
    ],
    ids=["304", "dns", "no feed"],
)
def test_polls_without_items(writer, desk, result, parsed, outcome, reason):
    """A 304, a failure and a body that is no feed are logged as what they are."""
    desk.poll(DIENA, result=result, parsed=parsed, state="failing" if reason else "ok")
    row = writer.row("SELECT outcome, reason, entries FROM polls")
    assert tuple(row) == (outcome, reason, 0)


def test_identity_by_guid_url_and_title(writer, desk):
    """Known items are found by this feed's guid, the outlet's URL, its title of 48 hours; not another outlet's."""
    desk.poll(DAILY, make_item("g1", "Bridge closed after storm"))
    daily, sport, diena = (writer.feed(u) for u in (DAILY, SPORT, DIENA))

    def known(feed, item, now=NOW):
        found = writer.known(feed.state.feed_id, feed.outlet_id, [item], now=now)
        return [{k: v.item_id for k, v in part.items()} for part in (found.by_guid, found.by_url, found.by_title)]

    same = make_item("g1", "Bridge closed after storm")
    assert known(daily, same) == [{"g1": 1}, {same.canonical_url: 1}, {same.title_key: 1}]
    assert known(sport, same) == [{}, {same.canonical_url: 1}, {same.title_key: 1}]
    assert known(diena, same) == [{}, {}, {}]
    other = make_item("g2", "BRIDGE closed, after storm!", url="https://news.example/other")
    assert known(sport, other) == [{}, {}, {other.title_key: 1}]
    assert known(sport, other, NOW + timedelta(hours=49)) == [{}, {}, {}]
    found = writer.known(daily.state.feed_id, daily.outlet_id, [same], now=NOW).by_guid["g1"]
    assert (found.title, found.summary, found.content_hash, found.sighted_hash) == (
        same.title, same.summary, same.content_hash, same.content_hash,
    )  # fmt: skip


def test_an_item_in_two_feeds_is_one(writer, desk):
    """A sister feed's entry is a sighting of the same item, with what that entry said; a second entry of one body too."""
    first = make_item("a", "Bridge closed")
    desk.poll(
        DAILY, NewItem(first), Duplicate(0, make_item("a-again", "Bridge closed", content_hash="worded otherwise"))
    )
    sport = make_item("b", "Bridge closed", content_hash="worded by sport")
    brought = desk.poll(SPORT, SameItem(1, sport))
    assert (brought.new, brought.edited) == ((), ())
    assert writer.value("SELECT count(*) FROM items") == 1
    assert writer.value("SELECT count(*) FROM sightings WHERE item_id = 1") == 3
    feed = writer.feed(SPORT)
    known = writer.known(feed.state.feed_id, feed.outlet_id, [sport], now=NOW).by_guid["b"]
    assert (known.content_hash, known.sighted_hash) == (first.content_hash, "worded by sport")


def test_a_reused_guid_leads_to_the_newer_item(writer, desk):
    """When an outlet uses a guid again for another article, the guid stands for that one from then on."""
    desk.poll(DAILY, make_item("guid", "First", url="https://news.example/1"))
    again = make_item("guid", "Quite another", url="https://news.example/2")
    desk.poll(DAILY, again)
    feed = writer.feed(DAILY)
    assert writer.known(feed.state.feed_id, feed.outlet_id, [again], now=NOW).by_guid["guid"].item_id == 2


def test_an_edit_keeps_the_old_text(writer, desk):
    """The old texts are a revision, the new ones are shown and found, the old words are not; it waits for a story again."""
    desk.poll(DIENA, make_item(1, "Toll of four", body="Four.", body_html="<p>Four.</p>"))
    import numpy as np

    desk.group((1,))
    writer.save_vectors("m", [(1, np.ones(4, np.float32) / 2)])
    desk.now = NOW + timedelta(hours=1)
    brought = desk.edit(DIENA, 1, make_item(1, "Toll of seven", body="Seven."), "title", "body")
    assert brought.edited == (1,)
    old = writer.row("SELECT title, body, changed, seen_at FROM revisions")
    assert tuple(old) == ("Toll of four", "Four.", '["title", "body"]', "2026-02-25T07:23:00Z")
    with open_reader(writer.path) as reader:
        assert [reader.search(w) != [] for w in ("seven", "four")] == [True, False]
        assert reader.item(1)["body"] == "Seven."
        assert reader.item(1)["updated_at"] == "2026-02-25T07:23:00Z"
        assert reader.story(1)["title"] == "Toll of seven"
    assert [(i.item_id, i.title, i.vector) for i in writer.to_cluster(9)] == [(1, "Toll of seven", None)]
    assert kinds(writer, "edited") == [{"changed": ["title", "body"]}]


def test_an_edit_of_the_body_alone_waits_for_nothing(writer, desk):
    """A story is about title and summary: another body does not send the item round again."""
    desk.poll(DIENA, make_item(1, "Same title"))
    desk.group((1,))
    desk.edit(DIENA, 1, make_item(1, "Same title", body="Now with a text."), "body")
    assert writer.to_cluster(9) == []


def test_a_page_body_survives_an_edit_of_the_feed(writer, desk):
    """A text taken from the article's page is not lost when the feed, which carries none, rewords its summary."""
    desk.poll(DIENA, make_item(1, "Title"))
    writer.record_call(Call("page", 1), page=PageText("From the page.", "", "trafilatura 2"), now=NOW)
    desk.edit(DIENA, 1, make_item(1, "Title", summary="Other words."), "summary")
    assert writer.value("SELECT body FROM bodies") == "From the page."


def test_a_poll_is_all_or_nothing(writer, desk, monkeypatch):
    """An error in the middle of a poll's transaction leaves no item, no validator, no line in the log."""
    monkeypatch.setattr(polls, "_poll_row", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        desk.poll(DIENA, make_item(1, "One"), etag="new")
    monkeypatch.undo()
    assert writer.feed(DIENA).state.etag is None
    tables = ("items", "sightings", "polls", "to_cluster")
    assert [writer.value(f"SELECT count(*) FROM {t}") for t in tables] == [0] * 4  # noqa: S608  names of our own
    assert desk.poll(DIENA, make_item(1, "One")).new == (1,)


def test_a_withdrawn_item_is_marked_once(writer, desk):
    """`retract` keeps the text, sets the time, and leaves one line in `changes`."""
    desk.poll(DIENA, make_item(1, "One"))
    writer.retract([1, 99], now=NOW)
    writer.retract([1], now=NOW + timedelta(hours=1))
    assert writer.value("SELECT retracted_at FROM items") == "2026-02-25T06:23:00Z"
    assert kinds(writer).count("retracted") == 1


def test_an_unknown_language_gets_its_name(writer, desk):
    """An item in a language that no feed is in makes its row, named in the reader's language."""
    desk.poll(DIENA, make_item(1, "Tere", language="et-EE"), make_item(2, "x", language="qqq"))
    with open_reader(writer.path) as reader:
        assert [reader.item(n)["language_name"] for n in (1, 2)] == ["Estonian (Estonia)", "qqq"]


def test_edited_item_that_is_gone(writer, desk):
    """An edit of an item that is not there (pruned in the same moment) stores nothing and does no harm."""
    desk.poll(DIENA, make_item(1, "One"))
    writer.prune([1], now=NOW)
    assert desk.poll(DIENA, EditedItem(1, make_item(1, "Other"), ("title",))).edited == ()
    assert writer.value("SELECT title FROM items") == ""
