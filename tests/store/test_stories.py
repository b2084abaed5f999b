import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from aggregator.models import Assignment, Merge, Move, Split, iso
from aggregator.store.reader import open_reader
from aggregator.store.values import stored_form
from aggregator.store.writer import open_writer

from .conftest import NOW, SPECS, Desk, make_item

DIENA, PAEV, DAILY, YOMI, SPORT = (spec.url for spec in SPECS)


@pytest.fixture
def told(desk):
    """Six items of four outlets: 1, 2 Latvian, 3 Estonian, 4, 5 English (one outlet), 6 Japanese; in order of time."""
    hour = timedelta(hours=1)
    desk.poll(
        DIENA, make_item(1, "Prāmis uz sēkļa", language="lv"), make_item(2, "Laika ziņas", language="lv", at=NOW + hour)
    )
    desk.poll(PAEV, make_item(3, "Praam madalikul", language="et", at=NOW + 2 * hour))
    desk.poll(
        DAILY, make_item(4, "Ferry aground", at=NOW + 3 * hour), make_item(5, "Ferry: what we know", at=NOW + 4 * hour)
    )
    desk.poll(YOMI, make_item(6, "フェリー座礁", language="ja", at=NOW + 5 * hour))
    return desk


def story(writer, story_id):
    """A story's row."""
    return dict(writer.row("SELECT * FROM stories WHERE story_id = ?", (story_id,)))


def changes(writer, *kinds):
    """Kind, item, story and detail of the changes of some kinds."""
    rows = writer.rows("SELECT kind, item_id, story_id, detail FROM changes ORDER BY seq")
    return [(*tuple(r)[:3], json.loads(r[3]) if r[3] else None) for r in rows if r[0] in kinds]


def test_what_waits_comes_in_order_with_vectors(told):
    """Items wait in order of item_id, with outlet and country, and with the vector of the model that is asked for."""
    writer = told.writer
    vector = np.random.default_rng(1).standard_normal(384).astype(np.float32)
    vector /= np.linalg.norm(vector)
    writer.save_vectors("small-1", [(2, vector), (77, vector)])
    waiting = writer.to_cluster(3)
    assert [i.item_id for i in waiting] == [1, 2, 3]
    assert (waiting[2].outlet, waiting[2].country, waiting[2].language) == ("Päeva Teated", "EE", "et")
    assert waiting[0].vector is None
    assert np.array_equal(waiting[1].vector, stored_form(vector))
    assert np.abs(waiting[1].vector - vector).max() < 1e-4
    assert writer.to_cluster(3, "other-2")[1].vector is None
    assert [i.item_id for i in writer.lacking_vectors("small-1", NOW, 9)] == [6, 5, 4, 3, 1]


def test_a_story_is_counted_from_its_items(told):
    """Counts, countries by number of items, first and last, and who may speak for it: the reader's language first."""
    writer = told.writer
    assignments = [
        Assignment(1, 1, True, 1.0),
        Assignment(3, 1, False, 0.91, 1, 1, {"meaning": 0.8, "names": "Rīga"}),
        Assignment(4, 1, False, 0.88, 1),
        Assignment(5, 1, False, 0.87, 4),
        Assignment(2, 2, True, 1.0),
    ]
    writer.apply_assignments(assignments, states={"clusterer": b"\x00state"}, now=NOW)
    row = story(writer, 1)
    assert (row["item_count"], row["outlet_count"], row["independent_count"]) == (4, 3, 2)
    assert (row["countries"], row["flags"], row["languages"]) == ("GB LV EE", "🇬🇧🇱🇻🇪🇪", "en lv et")
    assert (row["first_item_id"], row["lead_item_id"], row["title"]) == (1, 4, "Ferry aground")
    assert (row["first_item_at"], row["last_item_at"]) == ("2026-02-25T06:23:00Z", "2026-02-25T10:23:00Z")
    assert [i.item_id for i in writer.to_cluster(9)] == [6]
    assert writer.load_state("clusterer") == b"\x00state"
    assert changes(writer, "clustered")[1] == ("clustered", 3, 1, None)
    with open_reader(writer.path) as reader:
        assert [r["similar_item_id"] for r in reader.similar(1)] == [3, 4, 5]
        assert reader.why(3)["names"] == "Rīga"
        assert reader.story(1)["first_reported_by"] == "Dienas Ziņas"
        assert [s["story_id"] for s in reader.stories(NOW, 9)] == [1]


def test_a_lead_that_is_named_wins(told):
    """The clusterer's choice of lead is taken when it is a member, also later, and ignored when it is not."""
    writer = told.writer
    told.group((1, 4))
    writer.apply_assignments([], leads={1: 1}, now=NOW)
    assert story(writer, 1)["title"] == "Prāmis uz sēkļa"
    writer.apply_assignments([], leads={1: 6}, now=NOW)
    assert story(writer, 1)["lead_item_id"] == 4


def test_a_merge_leads_on(told):
    """A merged story's id leads to where its items went, in one step after several merges; the change names both."""
    writer = told.writer
    a, b, c = told.group((1,), (3,), (4, 5))
    writer.apply_repairs([Merge(a, b, "grew together")], now=NOW)
    writer.apply_repairs([Merge(b, c, "grew together")], now=NOW)
    assert [story(writer, s)["merged_into"] for s in (a, b, c)] == [c, c, None]
    assert (story(writer, a)["item_count"], story(writer, c)["item_count"]) == (0, 4)
    assert changes(writer, "merged")[0] == ("merged", None, b, {"from": a, "reason": "grew together"})
    with open_reader(writer.path) as reader:
        assert reader.story(a)["story_id"] == c
        assert len(reader.timeline(c)) == 4
    assert writer.next_story_id() == 4


def test_a_split_and_a_move(told):
    """A split makes a new story of some items, a move takes one; a story whose last item moved away leads after it."""
    writer = told.writer
    (whole,) = told.group((1, 3, 4, 5))
    part = writer.next_story_id()
    writer.apply_repairs([Split(whole, part, (4, 5), "fell apart")], now=NOW)
    assert [story(writer, s)["item_count"] for s in (whole, part)] == [2, 2]
    writer.apply_repairs([Move(4, part, whole, 0.7, "closer"), Move(5, part, whole, 0.6, "closer")], now=NOW)
    assert story(writer, part)["merged_into"] == whole
    assert story(writer, whole)["item_count"] == 4
    assert [c[0] for c in changes(writer, "split", "moved", "merged")] == ["split", "moved", "moved", "merged"]
    writer.apply_repairs([Move(3, whole, part, 0.8, "back")], now=NOW)
    assert (story(writer, part)["merged_into"], story(writer, part)["item_count"]) == (None, 1)


def test_an_edited_item_may_move(told):
    """Grouping an item again moves it, once in `changes`; into the same story is no change but of its place in line."""
    writer = told.writer
    a, b = told.group((1, 3), (4,))
    writer.apply_assignments([Assignment(3, a, False, 0.95, 1)], now=NOW)
    assert changes(writer, "moved") == []
    writer.apply_assignments([Assignment(3, b, False, 0.8, 4)], now=NOW)
    assert changes(writer, "moved") == [("moved", 3, b, {"from": a, "reason": "edited"})]
    assert [story(writer, s)["item_count"] for s in (a, b)] == [1, 2]
    assert [m.item.item_id for m in writer.live_items(NOW, None)] == [1, 4, 3]


def test_a_clusterer_is_rebuilt_from_the_file(told, path):
    """After a restart the members of live stories come in the order of clustering, with story, reprint and vector."""
    writer = told.writer
    vector = np.full(384, 384**-0.5, np.float32)
    writer.save_vectors("m", [(n, vector) for n in range(1, 7)])
    told.group((4, 5), (1,), (6, 3))
    writer.apply_assignments([Assignment(2, 9, True, 1.0)], states={"clusterer": b"s"}, now=NOW)
    old = make_item(7, "Long ago", at=NOW - timedelta(days=9))
    told.poll(DIENA, old)
    told.group((7,))
    before = list(writer.live_items(NOW, "m"))
    writer.close()
    with open_writer(path, now=NOW) as writer:
        again = list(writer.live_items(NOW, "m"))
        assert writer.next_story_id() == 11
        assert writer.load_state("clusterer") == b"s"
        assert list(writer.live_items(NOW - timedelta(days=10), None))[-1].item.title == "Long ago"
    assert again == before
    assert [(m.item.item_id, m.story_id) for m in again] == [(4, 1), (5, 1), (1, 2), (6, 3), (3, 3), (2, 9)]
    assert all(np.array_equal(m.item.vector, stored_form(vector)) for m in again)


def test_live_items_are_of_one_moment(told):
    """What is written while the members are read does not get between them."""
    told.group((1, 3), (4,))
    members = told.writer.live_items(NOW, None)
    first = next(members)
    told.group((5,), (6,))
    assert [first.item.item_id, *(m.item.item_id for m in members)] == [1, 3, 4]


def test_assignments_are_all_or_nothing(told):
    """A mistake in the last of several assignments leaves items, stories and the clusterer's state as they were."""
    writer = told.writer
    writer.save_state("clusterer", b"old")
    bad = replace(Assignment(3, 1, False, 0.9), reasons={"x": object()})
    with pytest.raises(TypeError):
        writer.apply_assignments([Assignment(1, 1, True, 1.0), bad], states={"clusterer": b"new"}, now=NOW)
    assert writer.load_state("clusterer") == b"old"
    assert writer.value("SELECT count(*) FROM stories") == 0
    assert len(writer.to_cluster(9)) == 6


def test_what_retention_emptied_meanwhile_is_left_out(told):
    """An assignment of an item that was pruned, or that names one as its nearest, does no harm and makes no empty story."""
    writer = told.writer
    told.group((1,))
    writer.prune([1, 2], now=NOW)
    assignments = [Assignment(2, 7, True, 1.0), Assignment(3, 8, True, 1.0, nearest_item_id=999, reprint_of=888)]
    writer.apply_assignments(assignments, now=NOW)
    assert [r[0] for r in writer.rows("SELECT story_id FROM stories")] == [8]
    assert tuple(writer.row("SELECT nearest_item_id, reprint_of FROM story_items")) == (None, None)
    writer.save_vectors("m", [(2, np.zeros(3, np.float32))])
    assert writer.value("SELECT count(*) FROM vectors") == 0


def test_an_edit_while_the_clusterer_thinks(told):
    """An item that is edited between being taken and being put into its story stays in the line with its new text."""
    writer = told.writer
    assert [i.item_id for i in writer.to_cluster(2)] == [1, 2]
    told.edit(DIENA, 1, make_item(1, "Prāmis glābts", language="lv"), "title")
    told.edit(DIENA, 2, make_item(2, "Laika ziņas", language="lv", body="Lietus."), "body")
    writer.save_vectors("m", [(1, np.ones(3, np.float32)), (2, np.ones(3, np.float32))])  # of the old texts
    assert [r[0] for r in writer.rows("SELECT item_id FROM vectors")] == [2]
    writer.apply_assignments([Assignment(1, 1, True, 1.0), Assignment(2, 2, True, 1.0)], now=NOW)
    assert [(i.item_id, i.title) for i in writer.to_cluster(1)] == [(1, "Prāmis glābts")]
    writer.apply_assignments([Assignment(1, 1, False, 1.0)], now=NOW)
    assert [i.item_id for i in writer.to_cluster(1)] == [3]


def test_grouped_tells_which_are_in_stories(told):
    """`grouped` and `done`: items that need not wait are taken out of the line without a story."""
    told.group((1,))
    assert told.writer.grouped([1, 2, 99]) == {1}
    told.writer.apply_assignments([], done=[2, 3], now=NOW)
    assert [i.item_id for i in told.writer.to_cluster(9)] == [4, 5, 6]


def test_made_texts_reach_the_reader_with_their_origin(told):
    """A translation is shown in the reader's columns and named as a machine's; the outlet's words stay beside it."""
    from aggregator.store.enrichment import Call, MadeTexts
    from aggregator.store.texts import StoryTexts

    writer = told.writer
    told.group((1, 3))
    made = MadeTexts("en", "Ferry on a sandbank", "It ran aground.", "machine", "First.\n\nSecond.", "mt 1.2")
    assert writer.save_item_texts(1, made, now=NOW)
    assert not writer.save_item_texts(99, made, now=NOW)
    writer.save_story(1, [StoryTexts("en", "A ferry", "It ran aground.", (1, 3))], now=NOW)
    with writer.transaction() as db:
        sql = "INSERT INTO to_enrich (task, subject_id, language, priority, not_before) VALUES ('item', ?, 'en', ?, ?)"
        db.executemany(sql, [(3, 0, iso(NOW)), (4, 5, iso(NOW))])
    assert [(w.subject_id, w.attempts) for w in writer.waiting("item", 9, now=NOW)] == [(4, 0), (3, 0)]
    later = NOW + timedelta(minutes=10)
    call = Call("item", 4, "en", "mt 1.2", "failed", "503", tokens_in=10, cost_microusd=70, retry_at=later)
    writer.record_call(call, now=NOW)
    writer.record_call(Call("item", 3, "en", "mt 1.2", tokens_in=5, tokens_out=6, cost_microusd=30), now=NOW)
    assert writer.waiting("item", 9, now=NOW) == []
    assert [w.attempts for w in writer.waiting("item", 9, now=later)] == [1]
    spent = writer.spent(NOW)
    assert (spent.calls, spent.tokens, spent.cost_microusd) == (2, 21, 100)
    with open_reader(writer.path) as reader:
        page = reader.item(1)
        assert (page["title"], page["reader_title"]) == ("Prāmis uz sēkļa", "Ferry on a sandbank")
        assert (page["reader_origin"], page["reader_model"], page["reader_body"]) == (
            "machine",
            "mt 1.2",
            "First.\n\nSecond.",
        )
        assert reader.item(3)["reader_origin"] is None
        assert reader.item(4)["reader_origin"] == "original"
        assert [(s["reader_title"], s["reader_origin"]) for s in reader.similar(3)] == [
            ("Ferry on a sandbank", "machine")
        ]
        assert [(s["item_id"], s["reader_origin"]) for s in reader.timeline(1)] == [(1, "machine"), (3, None)]
        head = reader.query("SELECT title, reader_title, reader_origin FROM story_heads WHERE story_id = 1")[0]
        assert head == {"title": "Prāmis uz sēkļa", "reader_title": "A ferry", "reader_origin": "extractive"}
        assert [h["reader_title"] for h in reader.heads([99, 1])] == ["A ferry"]
    assert [c[3]["texts"] for c in changes(writer, "enriched")] == [["title", "summary", "body"]]


def test_threads_take_turns(told):
    """Polls and groupings from several threads at once wait for one another: nothing is lost and none fails."""
    from concurrent.futures import ThreadPoolExecutor

    writer = told.writer

    def poll(n):
        url = (DIENA, PAEV, DAILY, YOMI)[n % 4]
        return len(Desk(writer).poll(url, *(make_item(f"{n}-{k}", f"Item {n} {k}") for k in range(3))).new)

    with ThreadPoolExecutor(4) as pool:
        polled = [pool.submit(poll, n) for n in range(24)]
        read = [pool.submit(writer.to_cluster, 500) for _ in range(24)]
        assert sum(f.result() for f in polled) == 72
        assert all(f.result() for f in read)
    assert len(writer.to_cluster(500)) == 78
