"""The judge in the real daemon: a doubt is asked about once, its verdict outlasts kill -9, and `show --why` tells of it."""

import json

import pytest
from daemonkit import DaemonProcess, until
from modelserver import ModelServer
from newssite import Site

from aggregator.models import FeedSpec

BRIDGE = (
    ("Bridge closed in Pärnu after crack found", "Engineers found the crack on Monday."),
    ("Pärnus suleti sild", "Insenerid leidsid prao."),
)


@pytest.fixture
def daemon(tmp_path):
    """A daemon over two outlets that tell of one bridge in two languages, in words that leave the clusterer in doubt."""
    with Site() as site, Site("127.0.0.2") as other, ModelServer() as server:
        site.feed("/en.xml", [(*BRIDGE[0], f"{site.url}/1")])
        other.feed("/et.xml", [(*BRIDGE[1], f"{other.url}/1")])
        specs = [
            FeedSpec(f"{site.url}/en.xml", "The Daily Lamp", "GB", "en"),
            FeedSpec(f"{other.url}/et.xml", "Päeva Teated", "EE", "et"),
        ]
        settings = {"stories.repair_every_s": "0.5", "enrich.every_s": "0.3"}
        with DaemonProcess(tmp_path, specs, settings=settings) as process:
            process.settings, process.server = settings, server
            yield process


def with_judge(daemon):
    """Add the judge to the configuration."""
    table = {"judge.backend": "'chat'", "judge.url": f"'{daemon.server.url}/v1'", "judge.model": "'tiny-1'"}
    daemon.configure({**daemon.settings, **table})


def stories(daemon):
    """How many items there are in how many stories."""
    rows = daemon.rows("SELECT count(*), count(DISTINCT story_id) FROM story_items")
    return rows[0] if rows else (0, 0)


def test_a_doubt_is_asked_once_and_its_verdict_outlasts_kill_9(daemon):
    """Two stories become one when the judge says so; killed and started again, nothing is asked again and nothing falls apart."""
    with_judge(daemon)
    daemon.start()
    until(lambda: daemon.server.seen and stories(daemon) == (2, 1), 60, "the judge is asked and the stories are one")
    number = daemon.value("SELECT min(item_id) FROM items")
    until(lambda: daemon.value("SELECT count(*) FROM judgements"), 30, "the verdict is stored")
    told = json.loads(daemon.run("show", str(number), "--why", "--json").stdout)["why"]["judged"]
    assert [one["same"] for one in told] == [True]
    assert " said on " in daemon.run("show", str(number), "--why").stdout.replace("\n", " ")
    daemon.kill()
    polls = "SELECT count(*) FROM polls"
    before = daemon.value(polls)
    daemon.start()
    until(lambda: daemon.value(polls) >= before + 4, 60, "passes and rounds have gone by")
    assert daemon.stop() == 0
    assert stories(daemon) == (2, 1)
    assert len(daemon.server.seen) == 1
    assert daemon.value("SELECT count(*) FROM judgements") == 1
    assert not [one for one in daemon.events() if one["event"].startswith("judge")]  # trouble would be told


def test_off_by_default_nobody_is_asked(daemon):
    """Without a table [judge] the two stay two stories after several passes, and the endpoint hears nothing."""
    daemon.start()
    state = "SELECT value FROM state WHERE name = 'clusterer'"
    until(lambda: stories(daemon)[0] == 2 and not json.loads(daemon.value(state))["dirty"], 60, "a pass has looked")
    assert daemon.stop() == 0
    assert daemon.value("SELECT count(*) FROM to_judge") == 0
    assert daemon.server.seen == []


def test_check_config_names_what_is_wrong(daemon):
    """A judge without a model is told before anything runs, with the table and the setting."""
    daemon.configure({"judge.backend": "'chat'", "judge.url": f"'{daemon.server.url}/v1'"})
    result = daemon.run("check-config")
    assert result.returncode == 2
    assert "[judge] model: empty" in result.stderr
