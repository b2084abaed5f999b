"""Commands that read, run as a user runs them, on what the sample feeds brought."""

import json
import re
import subprocess
import sys
import unicodedata

import pytest
from newsroom import FEEDS, LATVIAN, Desk, article

from aggregator.cli.why import in_words
from aggregator.service.clock import utcnow
from aggregator.store.enrichment import MadeTexts
from aggregator.store.writer import open_writer
from aggregator.stories.model import EXPLAINED


def test_poll_says_what_it_did(news):
    """`poll` fetched every sample feed, stored the items and put each into a story."""
    assert news.polled["polled"] == len(news.server.specs())
    assert news.polled["failed"] == 0
    assert news.polled["new"] == news.polled["grouped"] > 250
    assert news.polled["joined"] > 30


def test_a_second_poll_finds_nothing_due(news):
    """Run again at once, `poll` asks nobody: the schedule is in the database."""
    before = len(news.server.answers)
    done = news.run("poll")
    assert done.returncode == 0
    assert "no feed is due" in done.stdout
    assert len(news.server.answers) == before


def test_stories_are_listed(news):
    """`stories` lists what several outlets tell; a pipe gets tab-separated lines, --json the rows."""
    rows = news.load("stories", "--since", "7d", "--limit", "5")
    assert len(rows) == 5
    assert all(row["outlet_count"] >= 2 for row in rows)
    assert rows == sorted(rows, key=lambda row: -row["score"])
    lines = news.run("stories", "--since", "7d", "--limit", "5").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [row["story"] for row in rows]


def test_stories_of_a_country(news):
    """--country keeps the stories that are told there."""
    rows = news.load("stories", "--since", "7d", "--country", "lv")
    assert rows
    assert all("LV" in row["countries"].split() for row in rows)


def test_the_page_of_an_item(news):
    """`show` prints the page: label in UTC, flag and country, outlet; title; summary; link; 📡 Similar Coverage."""
    story = news.load("stories", "--since", "7d", "--country", "LV", "--limit", "1")[0]
    items = news.load("show", story["story"])["items"]
    item = next(item for item in items if item["country"] == "LV")
    page = news.run("show", item["item_id"]).stdout
    assert re.match(r"[A-Z][a-z]{2} \d{1,2} • \d\d:\d\d UTC 🇱🇻 Latvia \w+", page)
    assert item["title"] in page
    assert item["link"] in page
    others = page.split("📡 Similar Coverage")[1]
    assert all(other["title"] in others for other in items if other["item_id"] != item["item_id"])
    assert item["title"] not in others


def test_the_summary_of_a_page_is_one_sentence(news):
    """`show` prints the chosen sentence under the title, in a language that is not the reader's too, and the rest below it."""
    story = news.load("stories", "--since", "7d", "--country", "LV", "--limit", "1")[0]
    items = news.load("show", story["story"])["items"]
    pages = [news.load("show", item["item_id"]) for item in items]
    page = next(p for p in pages if p["language"] != "en" and p["sentence"] != p["summary"])
    lines = news.run("show", page["item_id"]).stdout.splitlines()
    assert lines[2] == page["sentence"]
    assert "(summary: a sentence of the article)" in lines
    assert page["body"] or page["summary"] in lines


def test_a_machines_words_are_marked_wherever_they_are_shown(tmp_path, aggregator):
    """`stories`, `show STORY` and `show ITEM` print the reader's title, say that a machine made it, and keep the outlet's."""
    path, now = tmp_path / "a.db", utcnow().replace(microsecond=0)
    with open_writer(path, now=now) as writer:
        writer.sync_feeds((FEEDS["lv"], FEEDS["et"]), now=now)
        desk = Desk(writer, now)
        desk.brings("lv", article("lv1", LATVIAN, "lv", now, summary="Uz prāmja izcēlies ugunsgrēks."))
        ids = desk.brings("et", article("et1", "Parvlaev põles", "et", now))
        story = desk.groups(ids["lv1"], ids["et1"])
        made = MadeTexts("en", "Fire on a ferry", "A ferry burned.", "machine", "", "babel-7b")
        writer.save_item_texts(ids["lv1"], made, now=now)
    listed = aggregator("--database", path, "stories").stdout
    assert listed.rstrip("\n").endswith("\tFire on a ferry (machine translation)")
    told = aggregator("--database", path, "show", f"s{story}").stdout.splitlines()
    assert told[1:3] == ["Fire on a ferry (machine translation by babel-7b)", LATVIAN]
    assert "A ferry burned. (machine translation by babel-7b)" in told
    other = aggregator("--database", path, "show", ids["et1"]).stdout.splitlines()
    assert other[other.index(f"      {LATVIAN}") + 1] == "      Fire on a ferry (machine translation)"


def test_every_reason_of_the_pair_model_has_a_word():
    """What `explained` stores, `show --why` can say: a feature without a word would be lost without a trace."""
    said = in_words({"similarity": 0.9, "story_id": 1, "nearest_item_id": 2, **dict.fromkeys(EXPLAINED, 0.5)})
    assert "0.5 days apart" in said
    for name in EXPLAINED:
        assert name == "days" or len(in_words({"similarity": 0.9, "story_id": 1, name: 0.5})) > len(
            in_words({"similarity": 0.9, "story_id": 1})
        ), name


def test_a_template_is_told():
    """An item that is alone because its outlet prints such a title every day says so."""
    assert "such a title every day" in in_words({"similarity": 1.0, "story_id": 1, "candidates": 0, "template": 1})


def test_why_an_item_is_in_its_story(news):
    """`show --why` tells what spoke for the item's story."""
    story = news.load("stories", "--since", "7d", "--limit", "1")[0]
    items = news.load("show", story["story"], "--why")["items"]
    assert all(0 <= item["why"]["similarity"] <= 1 for item in items)
    assert any("nearest_title" in item["why"] for item in items)
    told = news.run("show", story["story"], "--why").stdout
    assert "why: it began the story" in told
    assert re.search(r"why: \d+% sure of\s+story s\d+; most\s+like\s+item \d+ \(", told)
    assert not re.search("skeletons|_clash|_id ", told)


@pytest.mark.parametrize("words", ["nairobi", "NAIRÓBI", "协议", "협정", "نيروبي", '"Nairobi Accord"'])
def test_search_in_any_script(news, words):
    """`search` finds a word in any script, whatever its case and diacritics, and marks it in the snippet."""
    hits = news.load("search", words)
    assert hits
    assert all("[" in hit["snippet"] for hit in hits)
    pages = [folded(json.dumps(news.load("show", hit["item_id"]), ensure_ascii=False)) for hit in hits]
    assert all(folded(words.strip('"')) in page for page in pages)
    assert news.run("search", "nosuchwordanywhere").stdout == ""


def folded(text):
    """Without case and diacritics."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def test_health_is_well(news):
    """`health` has counts and exit status 0 when all is well."""
    done = news.run("health", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0, found["problems"]
    assert found["counts"]["feeds"] == len(news.server.specs())
    assert found["problems"] == []


def test_what_does_not_exist(news):
    """An unknown item is exit status 3, a malformed one 2; one line on standard error, no traceback."""
    for arguments, status in ((("show", "99999999"), 3), (("show", "s99999999"), 3), (("show", "?"), 2)):
        done = news.run(*arguments)
        assert done.returncode == status
        assert len(done.stderr.strip().splitlines()) == 1
        assert done.stderr.startswith("aggregator: ")


def test_a_closed_pipe_is_no_error(news):
    """`aggregator stories | head -1` ends without a word of complaint."""
    command = f"'{sys.executable}' -m aggregator --config '{news.config}' feeds export | head -c 10"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.startswith("<?xml")
    assert done.stderr == ""
