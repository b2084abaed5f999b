"""Properties that hold after any sequence of decisions of the clusterer."""

import json
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.models import Assignment, Merge, Move, Split
from aggregator.store.writer import open_writer

from .conftest import NOW, SPECS, Desk, make_item

SHM = Path("/dev/shm")  # noqa: S108  a folder in memory: many small databases, none needs the disk
MEMORY = SHM if SHM.is_dir() else None
ITEMS = 8
items = st.integers(1, ITEMS)
numbers = st.integers(0, 5)
decisions = st.one_of(
    st.tuples(st.just("assign"), items, numbers, st.none() | items),
    st.tuples(st.just("merge"), numbers, numbers),
    st.tuples(st.just("split"), numbers, st.integers(1, 2)),
    st.tuples(st.just("move"), items, numbers),
    st.tuples(st.just("prune"), items),
)


def apply(writer, decision):
    """Carry out one decision as the service would; the numbers choose among the stories that there are."""
    where = dict(writer.rows("SELECT item_id, story_id FROM story_items"))
    there = [r[0] for r in writer.rows("SELECT story_id FROM stories WHERE merged_into IS NULL ORDER BY story_id")]
    new = writer.next_story_id()
    match decision:
        case "assign", item, n, reprint_of:
            story = ([*there, new] * 6)[n]
            writer.apply_assignments([Assignment(item, story, story == new, 0.9, reprint_of=reprint_of)], now=NOW)
        case "merge", a, b if there and there[a % len(there)] != there[b % len(there)]:
            writer.apply_repairs([Merge(there[a % len(there)], there[b % len(there)], "m")], now=NOW)
        case "split", a, count if there:
            story = there[a % len(there)]
            leaving = tuple(sorted(i for i, s in where.items() if s == story)[1 : 1 + count])
            if leaving:
                writer.apply_repairs([Split(story, new, leaving, "s")], now=NOW)
        case "move", item, n if item in where:
            story = (there * 6)[n]
            if story != where[item]:
                writer.apply_repairs([Move(item, where[item], story, 0.5, "v")], now=NOW)
        case "prune", item:
            writer.prune([item], now=NOW)


@settings(max_examples=30, deadline=None)
@given(st.lists(decisions, min_size=1, max_size=10))
def test_changes_tell_everything_and_stories_add_up(made):
    """A follower of `changes` knows each item's story at every moment; each story's counts are those of its items.

    A story without items leads to one that has some, in one step, or is gone.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, open_writer(Path(folder) / "a.db", now=NOW) as writer:
        writer.sync_feeds(SPECS, now=NOW)
        for n in range(ITEMS):
            Desk(writer).poll(SPECS[n % 4].url, make_item(n, f"Item {n}", language=("lv", "et", "en")[n % 3]))
        Desk(writer).group((1, 2, 3), (4, 5), (6,), (7,))
        seq, known = 0, {}
        for decision in made:
            apply(writer, decision)
            for row in writer.rows("SELECT * FROM changes WHERE seq > ? ORDER BY seq", (seq,)):
                follow(known, row)
                seq = row["seq"]
            assert known == dict(writer.rows("SELECT item_id, story_id FROM story_items"))
        check(writer)


def follow(known, row):
    """What a follower makes of one change."""
    detail = json.loads(row["detail"]) if row["detail"] else {}
    match row["kind"]:
        case "clustered" | "moved":
            known[row["item_id"]] = row["story_id"]
        case "merged":
            known.update({i: row["story_id"] for i, s in known.items() if s == detail["from"]})
        case "split":
            known.update(dict.fromkeys(detail["items"], row["story_id"]))
        case "pruned":
            known.pop(row["item_id"], None)


def check(writer):
    """Every story's row says what its items say."""
    members = {}
    for row in writer.rows(
        "SELECT m.story_id, m.reprint_of, i.outlet_id, i.language, i.item_id, i.published_at, o.country FROM story_items AS m "
        "JOIN items AS i USING (item_id) JOIN outlets AS o USING (outlet_id) ORDER BY i.published_at, i.item_id"
    ):
        members.setdefault(row["story_id"], []).append(row)
    rows = {row["story_id"]: row for row in writer.rows("SELECT * FROM stories")}
    for story_id, row in rows.items():
        told = members.get(story_id)
        if told is None:
            assert members[row["merged_into"]]
            assert row["item_count"] == 0
            continue
        assert row["merged_into"] is None
        assert row["item_count"] == len(told)
        assert row["outlet_count"] == len({m["outlet_id"] for m in told})
        assert row["independent_count"] == len({m["outlet_id"] for m in told if m["reprint_of"] is None})
        assert row["first_item_id"] == told[0]["item_id"]
        assert row["lead_item_id"] in {m["item_id"] for m in told}
        assert sorted(row["countries"].split()) == sorted(Counter(m["country"] for m in told))
    assert set(members) <= set(rows)
