"""The online decisions: joining, beginning, reprints, edits, what is late, what is twice, what is past."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.config import Stories
from aggregator.models import Merge, Move, Split
from aggregator.stories.clusterer import KEEP_ITEMS, Clusterer

from .conftest import START, background, follow, item, stream

FERRY = "Ferry Aurelia runs aground off Vormsi, 214 passengers evacuated"
FERRY_TEXT = (
    "The ferry Aurelia ran aground near the island of Vormsi on Wednesday morning; rescuers took 214 passengers ashore."
)
FERRY_AGAIN = "214 evacuated as ferry Aurelia strikes rocks near Vormsi"
FERRY_AGAIN_TEXT = (
    "Rescue boats brought all 214 people from the Aurelia ashore after it hit a shoal close to Vormsi island."
)
BUDGET = "Parliament of Latvia passes budget after a night of debate"
BUDGET_TEXT = "The Saeima adopted the 2026 budget with 54 votes; defence spending rises to 4.9 per cent."


@pytest.fixture
def clusterer():
    """One with the shipped model that has seen other news."""
    return background()


def test_the_same_event_joins_and_another_does_not(clusterer):
    """A second report of an event joins the first with a reason; an unrelated item begins a story of its own."""
    first = clusterer.add(item(1, FERRY, FERRY_TEXT))
    other = clusterer.add(item(2, BUDGET, BUDGET_TEXT, hours=1))
    second = clusterer.add(item(3, FERRY_AGAIN, FERRY_AGAIN_TEXT, hours=2))
    assert (first.is_new_story, first.similarity, first.nearest_item_id) == (True, 1.0, None)
    assert (other.is_new_story, other.story_id) == (True, first.story_id + 1)
    assert (second.story_id, second.is_new_story, second.nearest_item_id) == (first.story_id, False, 1)
    assert 0.5 < second.similarity <= 1
    assert second.reasons["members"] == 1
    assert second.reasons["names"] > 0.3


def test_ids_count_up_from_where_the_store_stands():
    """New stories take the ids after those that the store has given out."""
    clusterer = Clusterer(Stories(), next_story_id=41)
    assert [clusterer.add(i).story_id for i in (item(1, FERRY), item(2, BUDGET))] == [41, 42]


def test_an_item_that_comes_twice_stays(clusterer):
    """Adding a live item again changes nothing and names its story."""
    first = clusterer.add(item(1, FERRY, FERRY_TEXT))
    before = (len(clusterer), clusterer.state())
    again = clusterer.add(item(1, FERRY, FERRY_TEXT))
    assert (again.story_id, again.is_new_story) == (first.story_id, False)
    assert (len(clusterer), clusterer.state()) == before


def test_a_reprint_goes_where_its_original_is(clusterer):
    """Another outlet's near-identical text joins with similarity 1 and points to the original."""
    first = clusterer.add(item(1, FERRY, FERRY_TEXT))
    copy = clusterer.add(item(2, "Passengers evacuated: " + FERRY, FERRY_TEXT, hours=3))
    assert (copy.story_id, copy.reprint_of, copy.nearest_item_id, copy.similarity) == (first.story_id, 1, 1, 1.0)


def test_the_window_ends_a_story(clusterer):
    """What joins within four days is another event when it comes after five."""
    clusterer.add(item(1, FERRY, FERRY_TEXT))
    assert clusterer.add(item(2, FERRY_AGAIN, FERRY_AGAIN_TEXT, hours=120)).is_new_story
    assert not clusterer.add(item(3, FERRY_AGAIN, FERRY_AGAIN_TEXT, hours=4)).is_new_story


def test_a_late_item_finds_its_story(clusterer):
    """An item that comes after days of others, with its own old date, joins the story of its time."""
    first = clusterer.add(item(1, FERRY, FERRY_TEXT))
    for n in range(2, 12):
        clusterer.add(item(n, f"Harbour notice number {n}: quay {n * 7} closed", hours=14 * n))
        clusterer.repair(START + timedelta(hours=14 * n))
    late = clusterer.add(item(50, FERRY_AGAIN, FERRY_AGAIN_TEXT, hours=2))
    assert late.story_id == first.story_id


def test_an_edit_moves_an_item(clusterer):
    """An item whose new text tells another event leaves its story for that one; a single one merges its story into it."""
    placed = {i.item_id: clusterer.add(i).story_id for i in (
        item(1, FERRY, FERRY_TEXT), item(2, FERRY_AGAIN, FERRY_AGAIN_TEXT), item(3, BUDGET, BUDGET_TEXT),
        item(4, "Pancake recipes for a rainy Sunday", "Flour, eggs, milk and a little patience."),
    )}  # fmt: skip
    assert placed[1] == placed[2]
    assert len(set(placed.values())) == 3
    text = "The Saeima passed the 2026 budget by 54 votes after a night of debate; defence rises to 4.9 per cent."
    moved = clusterer.revise(item(2, "Latvia's parliament adopts budget after night debate", text))
    assert [type(r) for r in moved] == [Move]
    merged = clusterer.revise(item(4, FERRY_AGAIN, FERRY_AGAIN_TEXT))
    assert [type(r) for r in merged] == [Merge]
    follow(placed, moved + merged)
    assert placed[1] == placed[4] != placed[2] == placed[3]


def test_an_edit_to_something_new_leaves_its_story(clusterer):
    """An item whose new text fits nothing becomes a story of its own."""
    first = clusterer.add(item(1, FERRY, FERRY_TEXT))
    clusterer.add(item(2, FERRY_AGAIN, FERRY_AGAIN_TEXT))
    repairs = clusterer.revise(
        item(2, "Chess champion wins the Candidates in Toronto", "She drew her last game in 31 moves.")
    )
    assert repairs == [Split(first.story_id, first.story_id + 1, (2,), "it was edited")]


def test_an_edit_of_an_item_that_is_past_changes_nothing(clusterer):
    """Items that are not live are left where they are."""
    assert clusterer.revise(item(9, FERRY)) == []
    assert 9 not in clusterer


def test_a_vector_that_comes_later_counts():
    """An item that was grouped by its words alone is grouped again when its vector arrives."""
    items, gold = stream("stories_a")
    bare = Clusterer(Stories())
    placed = {i.item_id: bare.add(replace(i, vector=None)).story_id for i in items[:90]}
    before = dict(placed)
    for i in items[:90]:
        repairs = bare.revise(i)
        assert all("has a new vector" in repair.reason for repair in repairs)
        follow(placed, repairs)
    follow(placed, bare.repair(items[89].at))
    assert placed != before
    pairs = [(a, b) for a in range(90) for b in range(a) if gold[a] == gold[b]]
    together = [sum(p[items[a].item_id] == p[items[b].item_id] for a, b in pairs) for p in (before, placed)]
    assert together[1] > together[0]


def test_old_stories_stay_while_there_are_few_and_go_when_there_are_many(clusterer):
    """Beyond the window, KEEP_ITEMS stay for late items; what is over that, or eight windows old, is forgotten."""
    assert KEEP_ITEMS > 1000
    clusterer.add(item(1, FERRY, FERRY_TEXT, hours=1))
    clusterer.expire(START + timedelta(hours=96 * 7))
    assert 1 in clusterer
    clusterer.expire(START + timedelta(hours=96 * 8 + 2))
    assert len(clusterer) == 0


def test_the_lead_is_central_and_of_the_readers_language(clusterer):
    """The lead is the item most like the others, in the reader's language when the story has it; never a reprint."""
    story_id = clusterer.add(item(1, FERRY_AGAIN, FERRY_AGAIN_TEXT, hours=0)).story_id
    clusterer.add(item(2, FERRY, FERRY_TEXT, hours=1))
    clusterer.add(item(3, "Ferry Aurelia aground off Vormsi: 214 passengers ashore", FERRY_TEXT[:60], hours=1.5))
    clusterer.add(item(4, "Fähre Aurelia vor Vormsi auf Grund, 214 Passagiere evakuiert", "", language="de", hours=2))
    clusterer.add(item(5, FERRY, FERRY_TEXT, hours=3))
    assert clusterer.lead(story_id, "de") == 4
    assert clusterer.lead(story_id, "lv") in {1, 2, 3}
    with pytest.raises(KeyError):
        clusterer.lead(9999, "en")
