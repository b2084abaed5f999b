"""Streams for the clusterer: the labelled sets with their stored vectors, and items made in a line."""

import copy
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from aggregator.config import Stories
from aggregator.models import Merge, Move, Split, StoryItem, parse_iso
from aggregator.stories.clusterer import Clusterer

DATA = Path(__file__).parents[1] / "eval" / "data"
START = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)


@cache
def stored_vectors():
    """{first 8 bytes of the SHA-256 of title, summary and outlet, in hex: vector}."""
    with np.load(DATA / "vectors.npz") as stored:
        return dict(zip(stored["keys"].tolist(), stored["rows"].astype(np.float32), strict=True))


@cache
def stream(name, *, vectors=True):
    """A labelled set as the clusterer gets it, in the order of time; and the labels."""
    raws = [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    raws.sort(key=lambda raw: (raw["published"], raw["id"]))
    outlets = {}
    items = []
    for number, raw in enumerate(raws, 1):
        text = "\n".join((raw["title"], raw["summary"], raw["outlet"]))
        items.append(
            StoryItem(
                number,
                raw["title"],
                raw["summary"],
                raw["lang"],
                raw["country"],
                outlets.setdefault((raw["outlet"], raw["country"]), len(outlets) + 1),
                parse_iso(raw["published"]),
                raw["outlet"],
                stored_vectors()[hashlib.sha256(text.encode()).hexdigest()[:16]] if vectors else None,
            )
        )
    return items, [raw["cluster"] for raw in raws]


def item(item_id, title, summary="", *, language="en", outlet=None, hours=0.0, country="GB", vector=None):
    """An item, `hours` after START, of an outlet of its own unless one is given."""
    at = START + timedelta(hours=hours)
    return StoryItem(item_id, title, summary, language, country, outlet or 1000 + item_id, at, vector=vector)


def background():
    """A clusterer that has seen unrelated news of the same days, so that it knows what is rare; ids from 10,001 on."""
    return copy.deepcopy(_background(100))


@cache
def _background(count):
    clusterer = Clusterer(Stories())
    for number, (other, _) in enumerate(zip(stream("stories_c", vectors=False)[0], range(count), strict=False)):
        at = START + timedelta(hours=number / count)
        clusterer.add(replace(other, item_id=10_001 + number, outlet_id=90_000 + number, at=at))
    clusterer.repair(START + timedelta(hours=1))
    return clusterer


def follow(placed, repairs):
    """Carry repairs over to {item id: story id} as the store does; checks that each is possible."""
    for repair in repairs:
        match repair:
            case Merge(story_id, into):
                moved = [i for i, story in placed.items() if story == story_id]
                assert moved
                placed.update(dict.fromkeys(moved, into))
            case Split(story_id, new_story_id, item_ids):
                assert new_story_id not in placed.values()
                assert all(placed[i] == story_id for i in item_ids)
                placed.update(dict.fromkeys(item_ids, new_story_id))
            case Move(item_id, from_story, to_story):
                assert placed[item_id] == from_story != to_story
                placed[item_id] = to_story
