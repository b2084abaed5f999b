"""The same items in the same order give the same stories, wherever the program was stopped."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from aggregator.config import Stories
from aggregator.models import StoryItem
from aggregator.stories.clusterer import Clusterer
from aggregator.stories.model import PairModel

from .conftest import follow, stream

SCRIPT = Path(__file__).with_name("grouping.py")


@dataclass
class Stored:
    """What a database keeps of an item, in the order of clustering."""

    item: StoryItem
    story_id: int
    reprint_of: int | None


def _play(items, restart_before):
    """Every decision of a run that is torn down and rebuilt before some of its items."""
    model = PairModel.load()
    clusterer, rows, placed, log = Clusterer(Stories(), model=model), {}, {}, []
    for number, item in enumerate(items):
        if restart_before(number):
            clusterer, state = (
                Clusterer(Stories(), next_story_id=max(placed.values(), default=0) + 1),
                clusterer.state(),
            )
            clusterer.restore((Stored(i, placed[i.item_id], reprint) for i, reprint in rows.values()), state)
        if number % 20 == 19:
            repairs = clusterer.repair(item.at, everything=number % 40 == 39)
            follow(placed, repairs)
            log += repairs
        if number % 30 == 29:  # an edit of an earlier item
            edited = items[number - 11]
            edited = StoryItem(**{
                **{name: getattr(edited, name) for name in StoryItem.__slots__}, "title": items[number - 3].title
            })  # fmt: skip
            repairs = clusterer.revise(edited)
            rows[edited.item_id] = (edited, rows[edited.item_id][1])
            follow(placed, repairs)
            log += repairs
        assignment = clusterer.add(item)
        rows[item.item_id] = (item, assignment.reprint_of)
        placed[item.item_id] = assignment.story_id
        log.append(assignment)
    repairs = clusterer.repair(items[-1].at + timedelta(hours=1))
    follow(placed, repairs)
    return [*log, *repairs], placed


def test_a_restart_before_every_item_changes_nothing():
    """Decisions, reasons and repairs are equal to the last digit when the clusterer is rebuilt before each item."""
    items, _ = stream("stories_a")
    items = items[:70]
    through = _play(items, lambda _: False)
    assert _play(items, lambda _: True) == through
    assert len(set(through[1].values())) < len(items) * 0.8  # it does group


def test_a_killed_process_goes_on_where_it_was(tmp_path):
    """SIGKILL at random moments of a run over the real store; the stories are those of a run that nobody disturbed."""

    def run(path, kills):
        moments = random.Random(7)
        while True:
            process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(path)], stdout=subprocess.PIPE, text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            with process:
                wait = moments.randint(1, 6) if kills else 10**9
                for told, line in enumerate(process.stdout):
                    if line.strip() == "done":
                        return
                    if told >= wait:
                        process.send_signal(signal.SIGKILL)
                        kills -= 1
                        break
            assert process.returncode == -signal.SIGKILL

    run(tmp_path / "quiet.db", 0)
    run(tmp_path / "killed.db", 3)

    def stories(path):
        with sqlite3.connect(path) as db:
            return db.execute(
                "SELECT item_id, story_id, similarity, reasons FROM story_items ORDER BY item_id"
            ).fetchall()

    quiet = stories(tmp_path / "quiet.db")
    assert len(quiet) > 60
    assert stories(tmp_path / "killed.db") == quiet
