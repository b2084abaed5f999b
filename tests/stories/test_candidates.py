"""The two indexes: what they find, and that what came and went before leaves no trace."""

import random

import numpy as np
import pytest

from aggregator.stories import neighbours
from aggregator.stories.candidates import Candidates
from aggregator.stories.features import Profile, pack_vector, profile
from aggregator.stories.neighbours import Neighbours

from .conftest import item, stream


def _made(item_id, vector, language="en"):
    """A profile that matters for its vector alone."""
    plain = profile(item(item_id, f"Notice {item_id}", language=language))
    values = {name: getattr(plain, name) for name in Profile.__dataclass_fields__}
    return Profile(**{**values, "packed_vector": None if vector is None else pack_vector(np.asarray(vector))})


def _cloud(count, seed, dimensions=24):
    """Vectors around a few centres, as the texts of a day are."""
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((max(1, count // 20), dimensions))
    rows = centres[chance.integers(0, len(centres), count)] + 0.6 * chance.standard_normal((count, dimensions))
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    return [_made(n + 1, row, ("et", "lv", "en", "ja")[n % 4]) for n, row in enumerate(rows)]


@pytest.fixture
def small(monkeypatch):
    """Few enough that searches skip most of what is live."""
    monkeypatch.setattr(neighbours, "LOOKED_AT", 40)


def test_a_small_window_is_searched_exactly():
    """The nearest are those with the highest cosine after each language's mean is taken away."""
    cloud = _cloud(300, 1)
    index = Neighbours()
    for one in cloud:
        index.add(one)
    rows = np.array([one.vector for one in cloud], dtype=np.float64)
    whole = rows.mean(axis=0)
    for language in {one.language for one in cloud}:
        of = [n for n, one in enumerate(cloud) if one.language == language]
        rows[of] -= (rows[of].sum(axis=0) + neighbours.SHRINK * whole) / (len(of) + neighbours.SHRINK)
    for n in range(0, 300, 37):
        exact = {int(i) + 1 for i in np.argsort(-(rows @ rows[n]))[:10]}
        assert len(exact & set(index.nearest(cloud[n], 10))) >= 9


def test_neighbours_depend_on_what_is_live_alone(small):
    """After thousands of random comings and goings the answers are those of a fresh index."""
    cloud = _cloud(400, 2)
    chance = random.Random(3)
    used, live = Neighbours(), {}
    for _ in range(3000):
        one = chance.choice(cloud)
        if one.item_id in live:
            used.remove(live.pop(one.item_id))
        elif len(live) < 250:
            live[one.item_id] = one
            used.add(one)
    fresh = Neighbours()
    for one in live.values():
        fresh.add(one)
    assert len(live) > 150
    assert len(used) == len(fresh) == len(live)

    assert all(used.nearest(one, 12) == fresh.nearest(one, 12) for one in cloud)


def test_a_search_that_skips_most_still_finds_the_near_ones(small):
    """With a tenth of the window looked at, most of the exact ten nearest are found."""
    cloud = _cloud(400, 4)
    index, exact = Neighbours(), Neighbours()
    for one in cloud:
        index.add(one)
        exact.add(one)
    found = [set(index.nearest(one, 10)) for one in cloud]
    neighbours.LOOKED_AT = 10**6  # the fixture puts it back
    right = [set(exact.nearest(one, 10)) for one in cloud]
    assert np.mean([len(f & r) / 10 for f, r in zip(found, right, strict=True)]) > 0.7


def test_vectors_of_another_length_and_none_are_left_out():
    """Items without a vector, or with one of another model's length, are found by their words alone."""
    index = Neighbours()
    index.add(_made(1, [1.0, 0.0, 0.0]))
    index.add(_made(2, [1.0, 0.0]))
    index.add(_made(3, None))
    assert len(index) == 1
    assert index.nearest(_made(4, [1.0, 0.0]), 5) == index.nearest(_made(5, None), 5) == []
    index.remove(_made(2, [1.0, 0.0]))
    index.remove(_made(1, [1.0, 0.0, 0.0]))
    index.add(_made(2, [1.0, 0.0]))
    assert index.nearest(_made(4, [1.0, 0.0]), 5) == [2]


def test_the_event_is_among_the_candidates():
    """Of the items of the labelled sets that have company, at least 98 in 100 have some of it among their candidates."""
    for vectors, least in ((True, 0.98), (False, 0.85)):
        items, gold = stream("stories_a", vectors=vectors)
        index = Candidates()
        profiles = [profile(one) for one in items]
        for one in profiles:
            index.add(one)
        events = {}
        for one, event in zip(items, gold, strict=True):
            events.setdefault(event, set()).add(one.item_id)
        company = [n for n, event in enumerate(gold) if len(events[event]) > 1]
        hits = [bool(set(index.find(profiles[n])) & events[gold[n]]) for n in company]
        assert sum(hits) / len(hits) >= least


def test_postings_of_what_left_are_gone():
    """After all items are removed the index holds nothing."""
    items = [profile(item(n, f"Fire in hall {n} of Kuldīga harbour", hours=n)) for n in range(1, 40)]
    index = Candidates()
    for one in items:
        index.add(one)
    assert index.find(profile(item(99, "Fire in hall 7 of Kuldiga harbour")))
    for one in random.Random(1).sample(items, len(items)):
        index.remove(one)
    assert len(index) == 0
    assert not index._postings
    assert index.find(profile(item(99, "Fire in hall 7 of Kuldīga harbour"))) == []
