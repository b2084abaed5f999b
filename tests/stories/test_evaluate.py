"""Labelled items through the production path."""

import json
from datetime import timedelta

import numpy as np
import pytest

from aggregator.config import Stories
from aggregator.errors import UsageError
from aggregator.stories.clusterer import Clusterer
from aggregator.stories.evaluate import evaluate, read_labelled

from .conftest import DATA, follow, stream

ROW = {"id": "x1", "title": "Ferry aground", "published": "2026-02-25T06:00:00Z"}


def _file(tmp_path, *lines):
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_stories_are_those_of_the_daemon():
    """Evaluation gives what items added one by one with repairs every quarter of an hour, and one of everything, give."""
    labelled = sorted(read_labelled(DATA / "stories_a.jsonl"), key=lambda item: (item.at, item.id))[:90]
    items, _ = stream("stories_a")
    vectors = {one.id: item.vector for one, item in zip(labelled, items, strict=False)}
    found = evaluate(labelled[::-1], Stories(), vectors=vectors)
    clusterer, placed, due = Clusterer(Stories()), {}, items[0].at + timedelta(minutes=15)
    for item in items[:90]:
        if item.at >= due:
            follow(placed, clusterer.repair(item.at))
            due = item.at + timedelta(minutes=15)
        placed[item.item_id] = clusterer.add(item).story_id
    follow(placed, clusterer.repair(items[89].at, everything=True))
    assert list(found.assignments.values()) == list(placed.values())
    assert found.scores.items == 90
    assert found.scores.bcubed.f1 > 0.6
    assert found.scores.stories == len(set(placed.values()))


def test_missing_vectors_are_made_by_the_embedder_given():
    """`embed` is asked once, for the items without a vector, and its rows are used in their order."""
    labelled = read_labelled(DATA / "stories_a.jsonl")[:10]
    asked = []

    def embed(items):
        asked.append([item.title for item in items])
        return np.eye(10, 384, dtype=np.float32)[: len(items)]

    evaluate(labelled, Stories(), vectors={labelled[3].id: np.eye(1, 384, dtype=np.float32)[0]}, embed=embed)
    assert len(asked) == 1
    assert sorted(asked[0]) == sorted(one.title for one in labelled if one.id != labelled[3].id)


def test_unlabelled_items_are_grouped_but_not_scored():
    """Without labels there are stories, and no scores; no items give none of either."""
    labelled = read_labelled(DATA / "stories_b.jsonl")[:5]
    bare = [type(one)(*[getattr(one, name) for name in one.__slots__[:-1]]) for one in labelled]
    found = evaluate(bare, Stories())
    assert found.assignments.keys() == {one.id for one in bare}
    assert found.scores is None
    assert evaluate([], Stories()).assignments == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not a labelled item"),
        ("[1]", "line 2: not a labelled item"),
        (json.dumps({**ROW, "published": "yesterday"}), "line 2: not a labelled item"),
        (json.dumps({"id": 1, "title": "x"}), "line 2: published: missing"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, said):
    """The error names the file, the line and what is wrong with it."""
    with pytest.raises(UsageError, match=said):
        read_labelled(_file(tmp_path, json.dumps(ROW), line))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """No such file, and no text: one line for a person."""
    with pytest.raises(UsageError, match=r"gold\.jsonl: No such file"):
        read_labelled(tmp_path / "gold.jsonl")
    (tmp_path / "gold.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_labelled(tmp_path / "gold.jsonl")
    assert read_labelled(_file(tmp_path, "", json.dumps(ROW), ""))[0].id == "x1"
