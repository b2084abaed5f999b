import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest

from aggregator.config import Retention
from aggregator.errors import StoreError
from aggregator.models import Assignment, Merge
from aggregator.store import maintenance
from aggregator.store.maintenance import maintain, reindex
from aggregator.store.reader import open_reader
from aggregator.store.texts import StoryTexts

from .conftest import NOW, SPECS, make_item

DIENA, PAEV, DAILY, YOMI, SPORT = (spec.url for spec in SPECS)
DAY = timedelta(days=1)


@pytest.fixture
def aged(desk):
    """Four old items in three stories, one with a body in Japanese; one new item; a poll a day for 40 days."""
    desk.poll(DIENA, make_item(1, "Old storm", body="Storm text"), make_item(2, "Old market"))
    desk.poll(YOMI, make_item(3, "東京の大雨", body="東京都で大雨"), make_item(4, "Starred storm"))
    desk.group((1, 3), (2,), (4,))
    for n in range(1, 41):
        desk.now = NOW + n * DAY
        desk.poll(DAILY, *([make_item(5, "New thing", at=desk.now)] if n == 40 else []))
    return desk


def whole(writer):
    """The ids of items that retention has not emptied."""
    return [r[0] for r in writer.rows("SELECT item_id FROM items WHERE pruned_at IS NULL ORDER BY item_id")]


def test_nothing_is_deleted_unless_a_setting_says_so(aged):
    """With nothing set, maintenance deletes no row of any table."""
    tables = ("items", "bodies", "story_items", "stories", "polls", "changes", "sightings", "vectors")
    counts = "SELECT " + ", ".join(f"(SELECT count(*) FROM {t})" for t in tables)  # noqa: S608  names of our own
    before = tuple(aged.writer.row(counts))
    done = maintain(aged.writer, Retention(items_days=0, polls_days=0), now=aged.now)
    assert tuple(aged.writer.row(counts)) == before
    assert (done.pruned, done.forgotten, done.log_rows, done.more, done.warnings) == (0, 0, 0, False, ())


def test_old_items_go_and_leave_no_words(aged):
    """Items older than the setting lose texts, search entries, stories; followers hear of each; new ones stay."""
    writer = aged.writer
    done = maintain(writer, Retention(items_days=30), now=aged.now)
    assert done.pruned == 4
    assert whole(writer) == [5]
    assert writer.value("SELECT count(*) FROM stories") == 0
    assert (
        writer.value("SELECT group_concat(DISTINCT title || summary || url) FROM items WHERE pruned_at IS NOT NULL")
        == ""
    )
    with open_reader(writer.path) as reader:
        assert reader.search("storm") == reader.search("大雨") == []
        assert reader.item(1) is None
        kinds = [c["kind"] for c in reader.changes(0)]
    assert kinds.count("pruned") == 4
    for index in ("search_words", "search_unspaced"):
        writer.connection.execute(f"INSERT INTO {index} ({index}) VALUES ('integrity-check')")  # noqa: S608


def test_what_was_taken_from_a_pruned_item_goes_too(aged):
    """A story's heads and digest hold no words of an item that retention emptied; the story waits for new ones."""
    writer = aged.writer
    aged.poll(SPORT, make_item(6, "Storm again", at=aged.now))
    aged.poll(PAEV, make_item(7, "Torm", language="et", at=aged.now))
    writer.apply_assignments([Assignment(6, 1, False, 0.9), Assignment(7, 1, False, 0.9)], now=aged.now)
    made = [
        StoryTexts(
            "en", "Old storm", "It blew.", (1,), ((1, "Trees fell.", "extractive"), (6, "Roofs flew.", "extractive"))
        ),
        StoryTexts("et", "Torm", "Puhus.", (7,)),
    ]
    writer.save_story(1, made, now=aged.now)
    writer.prune([1], now=aged.now)
    assert [r[0] for r in writer.rows("SELECT title FROM story_texts")] == ["Torm"]
    assert [r[0] for r in writer.rows("SELECT sentence FROM story_sentences")] == ["Roofs flew."]
    assert [w.subject_id for w in writer.waiting("story", 9, now=aged.now)] == [1]


@pytest.mark.parametrize("what", ["item", "story", "merged story"])
def test_what_you_noted_stays(aged, what):
    """A star on an item keeps it; one on a story, also on one that was merged since, keeps all of that story's items."""
    writer = aged.writer
    if what == "merged story":
        writer.apply_repairs([Merge(1, 3, "grew together")], now=NOW)
    with closing(sqlite3.connect(writer.path)) as users:
        subject = ("item_id", 4) if what == "item" else ("story_id", 1)
        users.execute(f"INSERT INTO notes ({subject[0]}, starred) VALUES (?, 1)", (subject[1],))  # noqa: S608
        users.commit()
    maintain(writer, Retention(items_days=30), now=aged.now)
    kept = {"item": [4], "story": [1, 3], "merged story": [1, 3, 4]}[what]
    assert whole(writer) == [*kept, 5]
    writer.connection.execute("DELETE FROM notes")
    maintain(writer, Retention(items_days=30), now=aged.now + DAY)
    assert whole(writer) == [5]


def test_a_pruned_item_does_not_come_back(aged):
    """While a feed lists it, a pruned item is known by guid and by URL, whatever it says; it is forgotten only afterwards."""
    writer = aged.writer
    maintain(writer, Retention(items_days=30), now=aged.now)
    feed = writer.feed(DIENA)
    again = make_item(1, "Old storm, reworded")
    known = writer.known(feed.state.feed_id, feed.outlet_id, [again], now=aged.now)
    assert known.by_guid["1"].item_id == known.by_url[again.canonical_url].item_id == 1
    assert known.by_guid["1"].content_hash == "hash of Old storm"

    aged.now += 31 * DAY
    done = maintain(writer, Retention(items_days=30), now=aged.now)
    assert done.forgotten == 0  # both feeds' windows still name their entries
    aged.poll(DIENA, make_item(6, "Quite new", at=aged.now))
    done = maintain(writer, Retention(items_days=30), now=aged.now)
    assert done.forgotten == 2
    assert writer.known(feed.state.feed_id, feed.outlet_id, [again], now=aged.now).by_guid == {}
    assert [r[0] for r in writer.rows("SELECT item_id FROM items ORDER BY item_id")] == [3, 4, 5, 6]


def test_the_newest_of_each_feed_stay(aged):
    """A count per feed keeps that many, the newest, of every feed."""
    done = maintain(aged.writer, Retention(items_per_feed=1), now=aged.now)
    assert done.pruned == 2
    assert whole(aged.writer) == [2, 4, 5]


def test_the_log_of_polls_is_cut(aged):
    """Polls older than the setting go, the others stay; changes go with the items of their time."""
    writer = aged.writer
    done = maintain(writer, Retention(polls_days=10), now=aged.now)
    assert done.log_rows == 31
    assert writer.value("SELECT min(started_at) FROM polls") == "2026-03-27T06:23:00Z"
    maintain(writer, Retention(items_days=30), now=aged.now)
    assert writer.value("SELECT count(*) FROM changes WHERE at < '2026-03-07'") == 0
    assert {r[0] for r in writer.rows("SELECT DISTINCT kind FROM changes")} == {"new", "pruned"}


def test_a_run_is_bounded_and_goes_on(aged, monkeypatch):
    """A run whose time is over stops between two transactions, says so, and the next one finishes the work."""
    monkeypatch.setattr(maintenance, "_BATCH", 1)
    ticks = iter(range(100))
    retention = Retention(items_days=30)
    first = maintain(aged.writer, retention, now=aged.now, budget_s=3, clock=lambda: next(ticks))
    assert (first.pruned, first.more) == (2, True)
    second = maintain(aged.writer, retention, now=aged.now)
    assert (second.pruned, second.more) == (2, False)


def test_the_file_gets_smaller(desk, monkeypatch):
    """After most of a file's content went, its pages go back to the disk, a spare part kept."""
    monkeypatch.setattr(maintenance, "_VACUUM_PAGES", 20)
    for n in range(30):
        desk.poll(DIENA, *(make_item(f"{n}-{k}", f"Item {n} {k}", body=f"text {n} {k} " * 400) for k in range(20)))
    writer = desk.writer
    writer.checkpoint(truncate=True)
    before = writer.path.stat().st_size
    while maintain(writer, Retention(items_days=1), now=NOW + 5 * DAY).more:
        pass
    writer.checkpoint(truncate=True)
    assert writer.path.stat().st_size < before / 2


def test_texts_changed_by_hand(aged):
    """When somebody changed an item's text with SQL, the error of the next edit says what to do, and doing it mends all."""
    writer = aged.writer
    with closing(sqlite3.connect(writer.path)) as meddler:
        meddler.execute("UPDATE items SET summary = ? WHERE item_id = 1", ("words that nobody indexed " * 200,))
        meddler.commit()
    with pytest.raises(StoreError, match="maintain --reindex"):
        aged.edit(DIENA, 1, make_item(1, "Reworded"), "title")
    assert reindex(writer) == 5
    aged.edit(DIENA, 1, make_item(1, "Reworded storm"), "title")
    with open_reader(writer.path) as reader:
        assert [[r["item_id"] for r in reader.search(w)] for w in ("reworded", "nobody", "東京")] == [[1], [], [3]]


def test_a_reader_that_holds_a_transaction(desk, monkeypatch):
    """It blocks no write; the log grows; maintenance warns, with its process id; when it ends, the log is emptied."""
    monkeypatch.setattr(maintenance, "_LOG_WARN_BYTES", 500_000)
    monkeypatch.setattr(maintenance, "_LOG_TRUNCATE_BYTES", 500_000)
    writer = desk.writer
    desk.poll(DIENA, make_item("a", "First"))
    code = (
        "import sqlite3, sys; db = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True, isolation_level=None)\n"
        "db.execute('BEGIN'); print(db.execute('SELECT count(*) FROM items').fetchone()[0], flush=True); sys.stdin.read()\n"
        "print(db.execute('SELECT count(*) FROM items').fetchone()[0])"
    )
    reader = subprocess.Popen([sys.executable, "-c", code, writer.path], stdin=-1, stdout=-1, text=True)
    assert reader.stdout.readline() == "1\n"
    for n in range(40):
        desk.poll(DIENA, make_item(n, f"Item {n}", body=f"text {n} " * 3000))
    done = maintain(writer, Retention(), now=NOW)
    assert done.wal_bytes > 500_000
    assert f"process {reader.pid}" in done.warnings[0]
    assert reader.communicate()[0] == "1\n"  # it saw one moment all the time
    done = maintain(writer, Retention(), now=NOW)
    assert (done.wal_bytes, done.warnings) == (0, ())


@pytest.mark.parametrize(
    ("sql", "step"),
    [
        ("_OLD", "SEARCH i USING INTEGER PRIMARY KEY (rowid>?)"),
        ("_TOO_MANY", "SCAN items USING COVERING INDEX items_by_feed"),
        ("_FORGOTTEN", "SEARCH i USING COVERING INDEX items_pruned (pruned_at>? AND pruned_at<?)"),
    ],
)
def test_looking_for_what_to_delete_is_quick(aged, sql, step):
    """Each query of a run goes by an index that holds few rows, or ends at the first that is too new."""
    names = ("after", "limit", "at", "before")
    text = getattr(maintenance, sql)
    values = {name: 1 for name in names if f":{name}" in text} or (1,)
    plan = [row["detail"] for row in aged.writer.rows(f"EXPLAIN QUERY PLAN {text}", values)]
    assert plan[0] == step
    assert not [line for line in plan if "TEMP B-TREE" in line]


def test_a_run_says_what_it_did(aged):
    """What a person reads of a run names each kind of work, and that there is more."""
    done = maintain(aged.writer, Retention(items_days=30), now=aged.now)
    assert str(done).startswith("4 items pruned, 0 forgotten, ")
    assert "there is more" in str(maintain(aged.writer, Retention(items_days=30), now=aged.now, budget_s=0))
