"""Texts made by the real daemon: killed and stopped in the middle, and told by its commands."""

import json
import time

import pytest
from daemonkit import DaemonProcess, until
from modelserver import ARTICLES, ModelServer
from newssite import Site

from aggregator.models import FeedSpec


@pytest.fixture
def daemon(tmp_path):
    """A daemon over two feeds of an Estonian and a Latvian outlet, whose pages are read, and a slow translator."""
    # Each on an address of its own: the first polls of one host are ten seconds apart.
    with Site() as site, Site("127.0.0.2") as other, ModelServer() as server:
        for name, place, feed in (("ferry", site, "/lv.xml"), ("bridge", other, "/et.xml")):
            _, title, body = ARTICLES[name][0]
            place.feed(feed, [(title, "", f"{place.url}/{name}")])
            place.article(f"/{name}", *body.split("\n\n"), title=title)
        specs = [
            FeedSpec(f"{site.url}/lv.xml", "Dienas Ziņas", "LV", "lv", fulltext=True),
            FeedSpec(f"{other.url}/et.xml", "Päeva Teated", "EE", "et", fulltext=True),
        ]
        with DaemonProcess(tmp_path, specs, settings={"enrich.every_s": "0.2"}) as process:
            add(
                process,
                f"[translation]\nbackend = 'chat'\nurl = '{server.url}/v1'\nmodel = 'tiny-1'\nmin_outlets = 1\n",
            )
            process.server, process.site, process.other = server, site, other
            yield process


def add(daemon, settings):
    """Add a table to the configuration."""
    daemon.config.write_text(daemon.config.read_text(encoding="utf-8") + settings, encoding="utf-8")


def pages(daemon):
    """How many items have their text from their page."""
    return daemon.rows("SELECT count(*) FROM coverage WHERE text_origin = 'page'")[0][0]


def translated(daemon):
    """How many items have a translation by a machine."""
    return daemon.rows("SELECT count(*) FROM translations WHERE origin = 'machine'")[0][0]


def test_kill_9_in_the_middle_of_a_call_loses_nothing(daemon):
    """Killed while the translator thinks, the daemon goes on at the next start: every item has its page and its translation."""
    daemon.server.delay_s = 30.0
    daemon.start()
    # A page asked for and not yet stored would rightly be asked for again.
    until(lambda: pages(daemon) == 2 and daemon.server.seen, 50, "both pages are stored and a call is under way")
    daemon.kill()
    assert translated(daemon) == 0
    daemon.server.delay_s = 0.0
    daemon.start()
    until(lambda: translated(daemon) == 2, 50, "both are translated")
    assert daemon.stop() == 0
    rows = daemon.rows("SELECT title, reader_title, text_origin, reader_origin FROM coverage ORDER BY language")
    assert [r[1] for r in rows] == [ARTICLES["bridge"][1][0], ARTICLES["ferry"][1][0]]
    assert {r[2:] for r in rows} == {("page", "machine")}
    assert daemon.rows("SELECT count(*) FROM to_enrich WHERE task <> 'story'") == [(0,)]
    assert daemon.site.paths().count("/ferry") + daemon.other.paths().count("/bridge") == 2  # no page twice
    assert daemon.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_stop_does_not_wait_for_the_translator(daemon):
    """SIGTERM while a call takes its time: ended within seconds, and polling and grouping went on meanwhile."""
    daemon.server.delay_s = 8.0
    daemon.start()
    until(lambda: daemon.server.seen, 50, "a call is under way")
    daemon.site.feed(
        "/lv.xml", [("Jelgavā svin pilsētas svētkus", "Svētki ilgst trīs dienas.", "https://zinas.example/3")]
    )
    until(lambda: daemon.rows("SELECT count(*) FROM story_items")[0][0] == 3, 7, "a new item is stored and grouped")
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 7
    assert translated(daemon) == 0


def test_show_says_what_made_a_text(daemon):
    """`show` marks a machine's translation with model and time, keeps the outlet's title beside it, and names the page's extractor."""
    daemon.start()
    until(lambda: translated(daemon) == 2, 50, "both are translated")
    number = daemon.rows("SELECT item_id FROM items WHERE language = 'lv'")[0][0]
    told = daemon.run("show", str(number)).stdout
    assert ARTICLES["ferry"][1][0] in told
    assert ARTICLES["ferry"][0][1] in told
    assert "machine translation by tiny-1/127.0.0.1" in told
    assert "from the article's page by trafilatura" in told
    story = json.loads(daemon.run("show", str(number), "--json").stdout)["story_id"]
    assert "(machine translation" in daemon.run("show", f"s{story}").stdout
    page = json.loads(daemon.run("show", str(number), "--json").stdout)
    assert (page["reader_origin"], page["text_origin"]) == ("machine", "page")


def test_a_wrong_translator_is_told_before_anything_runs(daemon):
    """A configuration that cannot work ends the start with a message that names the setting."""
    daemon.configure({})
    add(daemon, "[translation]\nbackend = 'chat'\nurl = 'http://127.0.0.1:1/v1'\n")
    result = daemon.run("run")
    assert result.returncode == 2
    assert "[translation] model: empty" in result.stderr
    assert "Traceback" not in result.stderr
