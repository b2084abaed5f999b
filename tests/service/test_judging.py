"""From a doubt to a verdict and back into the stories, over a real database and a real model server."""

import asyncio
import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from modelserver import ModelServer
from newsroom import FEEDS, Desk, article

from aggregator.config import Config, Judge
from aggregator.service.runtime import Runtime
from aggregator.store.writer import open_writer

START = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)
BRIDGE = "Bridge closed in Pärnu after crack found", "Pärnus suleti sild"
FIRE = "Fire at Liepāja port warehouse", "Liepājas ostā dega noliktava"
HARBOUR = "Firefighters fought a blaze in the harbour for six hours.", "Ugunsgrēku dzēsa sešas stundas."


@pytest.fixture
def server():
    """The server of models, which finds that no two items tell one event: the model thinks that both pairs rather do."""
    with ModelServer() as running:
        running.same = lambda _, __: False
        yield running


@pytest.fixture(autouse=True)
def doubtful(monkeypatch):
    """Every decision counts as one in doubt, so that new weights of the model change nothing here."""
    monkeypatch.setattr("aggregator.stories.verdicts.LEAST_DOUBT", 0.0)


class House:
    """A database with two pairs of items that a pass doubts, and the stages over it, opened and closed as by restarts."""

    def __init__(self, path):
        self.path, self.now = path, START
        with open_writer(path, now=START) as writer:
            writer.sync_feeds(tuple(FEEDS.values()), now=START)
            desk = Desk(writer, START)
            desk.brings("en", article("b1", BRIDGE[0], "en", START, summary="Engineers found the crack on Monday."))
            desk.brings("et", article("b2", BRIDGE[1], "et", START, summary="Insenerid leidsid prao."))
            desk.brings("us", article("f1", FIRE[0], "en", START, summary=HARBOUR[0]))
            desk.brings("lv", article("f2", FIRE[1], "lv", START, summary=HARBOUR[1]))

    def run(self, judge, *steps):
        """Open the stages; run steps: "group", "repair", "judge" (a round), or minutes by which the clock moves on; close them."""

        async def through():
            writer = open_writer(self.path, now=self.now)
            async with Runtime(Config(judge=judge), writer=writer, embedder=None, clock=lambda: self.now) as runtime:
                for step in steps:
                    match step:
                        case "group":
                            await runtime.grouping.round()
                        case "repair" | "all":
                            await runtime.grouping.repair(everything=step == "all")
                        case "judge":
                            await runtime.enrichment.round()
                        case "pause is over":  # by the monotonic clock
                            runtime.enrichment._judging._dealings._breaker._until = 0.0
                        case minutes:
                            self.now += timedelta(minutes=minutes)

        asyncio.run(through())

    def rows(self, sql):
        """What a writer sees."""
        with closing(open_writer(self.path, now=self.now, daemon=False)) as writer:
            return [tuple(row) for row in writer.rows(sql)]

    def together(self):
        """Titles of the pairs that are in one story."""
        found = "SELECT group_concat(i.title, ' + ') FROM story_items AS m JOIN items AS i USING (item_id) GROUP BY story_id HAVING count(*) > 1"
        return [row[0] for row in self.rows(found)]


@pytest.fixture
def house(tmp_path):
    """The database."""
    return House(tmp_path / "a.db")


def judge(server, **more):
    """Settings for the chat endpoint of `server`."""
    return Judge(backend="chat", url=f"{server.url}/v1", model="tiny-1", **{"timeout_s": 2.0, **more})


def test_a_doubt_is_asked_once_and_heard(house, server):
    """Doubts are asked about, the next pass goes by the answers, and neither a later pass nor a restart asks or parts again."""
    server.same = lambda one, other: "Pärnu" in one["title"] + other["title"]
    house.run(judge(server), "group", "repair")
    assert len(house.together()) == 2
    house.run(judge(server), "judge", "repair")
    assert house.together() == [" + ".join(BRIDGE)]
    assert sorted(map(sorted, server.pairs())) == sorted([sorted(BRIDGE), sorted(FIRE)])
    house.run(judge(server), "all", "judge", 5, "all", "judge")
    assert house.together() == [" + ".join(BRIDGE)]
    assert len(server.seen) == 2
    said = house.rows(
        "SELECT same, void, known, model, tokens_in, item_hash <> other_hash FROM judgements ORDER BY same"
    )
    name = f"tiny-1/{server.url.removeprefix('http://')}"
    assert said == [(0, 0, 0, name, 200, 1), (1, 0, 0, name, 200, 1)]


def test_off_asks_nothing_and_keeps_nothing(house, server):
    """Without a judge no doubt is stored and nobody is asked; verdicts from before it was switched off still hold."""
    house.run(Judge(), "group", "repair", "judge", "repair")
    assert house.rows("SELECT count(*) FROM to_judge") == [(0,)]
    house.run(judge(server), "all", "judge", "repair")
    assert house.together() == []
    seen = len(server.seen)
    house.run(Judge(), "all", "judge", "all")
    assert house.together() == []
    assert len(server.seen) == seen == 2


def test_the_budget_bounds_calls(house, server):
    """One call in an hour: the pair of the highest stake first, the other an hour later, also when the daemon is started anew."""
    settings = judge(server, calls_per_hour=1)
    house.run(settings, "group", "repair")
    line = "SELECT i.title, o.title FROM to_judge AS q JOIN items AS i USING (item_id) JOIN items AS o ON o.item_id = q.other_id ORDER BY stake DESC"
    first, second = (set(pair) for pair in house.rows(line))
    house.run(settings, "judge", "judge")
    house.run(settings, 30, "judge")
    assert server.pairs() == [first]
    house.run(settings, 31, "judge")
    assert server.pairs() == [first, second]


def test_dollars_bound_calls(house, server):
    """What the endpoint charges is counted by the tokens that it names; a day's dollars end the day's calls."""
    settings = judge(server, usd_per_day=0.0003, usd_per_million_tokens_in=1.0, usd_per_million_tokens_out=2.0)
    house.run(settings, "group", "repair", "judge", "judge")
    assert house.rows("SELECT cost_microusd FROM judgements") == [(400,)]


def test_an_endpoint_that_is_overloaded_is_left_alone_and_made_up_for(house, server, caplog):
    """429: one line in the log, no other call in the pause; after it, both pairs are asked."""
    caplog.set_level(logging.INFO)
    server.fault = lambda number: "429" if number == 1 else None
    house.run(judge(server), "group", "repair", "judge", "judge", 2, "pause is over", "judge", "repair")
    assert len(server.seen) == 3
    assert house.together() == []
    told = [record.message for record in caplog.records if "the judge" in record.message]
    assert len(told) == 2, told
    assert "the judge is down" in told[0]
    assert "the judge works again" in told[1]
    assert house.rows("SELECT count(*) FROM judgements WHERE same IS NULL AND detail LIKE '%HTTP 429%'") == [(1,)]


def test_an_answer_that_cannot_be_read_is_asked_for_again_and_then_left(house, server):
    """Prose is no verdict: tried again after 1, 15 and 120 minutes, then given up; the other pair is not kept from its turn."""
    server.fault = lambda _: "prose"
    house.run(judge(server), "group", "repair", "judge", 2, "judge", 16, "judge", 121, "judge", 300, "all", "judge")
    assert [server.pairs().count(pair) for pair in (set(BRIDGE), set(FIRE))] == [4, 4]
    assert len(house.together()) == 2
    assert house.rows("SELECT count(*) FROM judgements WHERE detail LIKE '%not the JSON asked for%'") == [(8,)]


def test_texts_that_were_judged_are_not_asked_about_again(house, server):
    """A pair whose verdict is void, as after an edit, is asked about again; with the texts as they were, the old answer is taken."""
    house.run(judge(server), "group", "repair", "judge", "repair")
    with closing(open_writer(house.path, now=START)) as writer, writer.transaction() as db:
        db.execute("UPDATE judgements SET void = 1")
    house.run(judge(server), "all", "judge", "repair")
    assert len(server.seen) == 2
    assert house.rows("SELECT known, void, count(*) FROM judgements GROUP BY 1, 2 ORDER BY 1") == [(0, 1, 2), (1, 0, 2)]
    assert house.together() == []
