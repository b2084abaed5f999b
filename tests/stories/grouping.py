"""A program that groups the items of a database in small transactions, to be killed: python grouping.py FILE.

The first run stores the items of a labelled set. Prints a line a transaction, and `done` when nothing waits.
"""

import sys
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "store")]

import importlib.util  # noqa: E402 - two files of one name

from aggregator.config import Stories  # noqa: E402
from aggregator.models import FeedSpec  # noqa: E402
from aggregator.store.writer import open_writer  # noqa: E402
from aggregator.stories.clusterer import Clusterer  # noqa: E402


def _conftest(folder):
    spec = importlib.util.spec_from_file_location(f"{folder.name}_conftest", folder / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ITEMS = 72
items = _conftest(HERE).stream("stories_b")[0][:ITEMS]
store = _conftest(HERE.parent / "store")
NOW = items[-1].at


def _fill(writer):
    specs = {
        i.outlet_id: FeedSpec(f"https://o{i.outlet_id}.example/rss", i.outlet, i.country, i.language) for i in items
    }
    writer.sync_feeds(tuple(specs.values()), now=NOW)
    desk = store.Desk(writer)
    for i in items:
        made = store.make_item(f"i{i.item_id}", i.title, summary=i.summary, language=i.language, at=i.at)
        desk.poll(specs[i.outlet_id].url, made)
    writer.save_vectors("m", [(i.item_id, i.vector) for i in items])


def main():
    """Group what waits; a repair every third transaction."""
    with open_writer(Path(sys.argv[1]), now=NOW) as writer:
        if writer.counts()["items"] == 0:
            _fill(writer)
        state = writer.load_state("clusterer")
        clusterer = Clusterer(Stories(), next_story_id=writer.next_story_id())
        clusterer.restore(writer.live_items(Clusterer.live_since(Stories(), state, NOW), "m"), state)
        while waiting := writer.to_cluster(6, "m"):
            repairs = clusterer.repair(waiting[0].at) if waiting[0].item_id % 3 == 0 else []
            writer.apply_repairs(repairs, states={"clusterer": clusterer.state()}, now=NOW)
            print("repaired", flush=True)  # noqa: T201  this is how it answers
            assignments = [clusterer.add(item) for item in waiting]
            writer.apply_assignments(
                assignments, states={"clusterer": clusterer.state()}, now=NOW + timedelta(seconds=1)
            )
            print("stored", flush=True)  # noqa: T201  this is how it answers
    print("done", flush=True)  # noqa: T201  this is how it answers


main()
