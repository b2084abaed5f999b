"""Killed with -9 at random moments under load, the daemon loses nothing, doubles nothing, and groups as if nothing had been."""

import random
import shutil
import sqlite3
import time
from contextlib import closing

import pytest
from daemonkit import DaemonProcess, until
from publisher import Publisher


def partition(daemon):
    """The stories as sets of items: ids of stories apart, all that grouping decided."""
    stories = {}
    for item_id, story_id in daemon.rows("SELECT item_id, story_id FROM story_items"):
        stories.setdefault(story_id, set()).add(item_id)
    return sorted(map(sorted, stories.values()))


def grouped_undisturbed(daemon, folder):
    """The same items in the same order, grouped in one go by a process that nobody kills: its daemon."""
    folder.mkdir()
    copy = DaemonProcess(folder, [])
    copy.database.parent.mkdir()
    shutil.copy(daemon.database, copy.database)
    with closing(sqlite3.connect(copy.database)) as db, db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM story_items")
        db.execute("DELETE FROM stories")
        db.execute("DELETE FROM sqlite_sequence WHERE name = 'stories'")
        db.execute("DELETE FROM state WHERE name = 'clusterer'")
        db.execute("DELETE FROM to_cluster")
        db.execute("INSERT INTO to_cluster SELECT item_id FROM items ORDER BY item_id")
    done = copy.run("poll", timeout=600)
    assert done.returncode == 0, done.stderr
    return copy


def beat(tmp_path, kills, seed, feeds=24):
    """Kill the daemon so many times while publishers publish, and hold what is left against what they served."""
    chance = random.Random(seed)
    with Publisher(feeds, hosts=feeds // 2, window=200) as publisher:
        settings = {"stories.repair_every_s": "100000.0"}
        with DaemonProcess(tmp_path, publisher.specs(), settings=settings) as daemon:
            stored = set()
            for _ in range(kills):
                publisher.publish(2)
                daemon.start(ready=chance.random() < 0.8)
                time.sleep(chance.uniform(0, 0.9))
                daemon.kill()
                seen = set(daemon.guids())
                assert stored <= seen, "an item that was stored is gone"
                stored = seen
            assert daemon.integrity() == "ok"
            daemon.start()
            every = publisher.every_guid()
            until(lambda: set(daemon.guids()) == every, 60, "all items come")
            until(lambda: not daemon.value("SELECT count(*) FROM to_cluster"), 60, "all items are grouped")
            assert daemon.stop() == 0
            daemon.catalogue([])  # the next runs only group
            assert (
                daemon.run("poll", timeout=600).returncode == 0
            )  # a repair pass over all, as the undisturbed run does
            assert daemon.integrity() == "ok"
            assert daemon.doubles() == []
            assert daemon.value("SELECT count(*) FROM items") == len(every)
            assert daemon.value("SELECT count(*) FROM story_items") == len(every)
            seqs = [seq for (seq,) in daemon.rows("SELECT seq FROM changes WHERE kind = 'new' ORDER BY seq")]
            assert len(seqs) == len(every)
            other = grouped_undisturbed(daemon, tmp_path / "undisturbed")
            assert partition(other) == partition(daemon)
            assert len(partition(daemon)) < len(every)  # some were grouped
            return len(every)


@pytest.mark.timeout(600)
def test_killed_six_times(tmp_path):
    """Six kills at random moments: every item is there once, and stories are those of an undisturbed run."""
    beat(tmp_path, 6, seed=20260225)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_killed_fifty_times(tmp_path):
    """Fifty kills at random moments, the same."""
    assert beat(tmp_path, 50, seed=1) == 24 * (5 + 2 * 50)


def test_a_poll_is_stored_whole_or_not_at_all(tmp_path):
    """Wherever a kill falls, a feed's validators, its items and the log of its poll are of the same poll (FEEDS.md, rule 2)."""
    chance = random.Random(7)
    with Publisher(12, items=150, window=400) as publisher, DaemonProcess(tmp_path, publisher.specs()) as daemon:
        for _ in range(5):
            publisher.publish(30)
            daemon.start()
            time.sleep(chance.uniform(0.2, 0.8))
            daemon.kill()
            sql = (
                "SELECT s.etag, (SELECT count(*) FROM sightings AS g WHERE g.feed_id = s.feed_id), "
                "(SELECT coalesce(sum(new_items), 0) FROM polls AS p WHERE p.feed_id = s.feed_id), "
                "(SELECT count(*) FROM items AS i WHERE i.feed_id = s.feed_id) FROM feed_state AS s"
            )
            for etag, sightings, told, items in daemon.rows(sql):
                counted = int(etag.strip('"')) if etag else 0  # the publisher's tag is its number of items
                assert (sightings, told, items) == (counted, counted, counted)
