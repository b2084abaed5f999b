"""Commands for the one who runs it: configuration, backup, restore, snapshot, export, evaluation."""

import io
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import feedparser
import pytest

from aggregator.cli.run import _write_default_config


def test_check_config_says_what_is_there(news):
    """`check-config` counts feeds and countries and names the files."""
    facts = news.load("check-config")
    assert facts["feeds"] == len(news.server.specs())
    assert facts["database"] == f"{news.folder}/news.db"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[poling]\n", ["poling", "did you mean polling"]),
        ("[polling]\nfloor_s = -1\n", ["[polling] floor_s", "-1", ">= 1"]),
        ('[log]\nlevel = "loud"\n', ["[log] level", "loud", "debug, info, warning, error"]),
        ("[fetching]\nhttp3 = true\n", ["[fetching] http3", "http2"]),
        ("[polling\n", ["not valid TOML", "line 1"]),
        ("[polling]\ntick_s = inf\n", ["[polling] tick_s", "31622400", "inf"]),
        ('[reader]\nlanguage = "English"\n', ["[reader] language", "a language tag such as lv", "English"]),
        ('[fetching]\nproxy = "socks5://x"\n', ["[fetching] proxy", "http://proxy.example:3128", "socks5://x"]),
        ('[translation]\nbackend = "chat"\n', ["[translation] model", "empty"]),
        ('feeds = ["mine.toml"]\n', ["feeds", "mine.toml", "no such file"]),
        ("[polling]\nfloor_s = 100\nceiling_s = 50\n", ["floor_s", "ceiling_s"]),
        ('[embedding]\nbackend = "openai"\n', ["[embedding] url", "openai"]),
        ('[embedding]\nbackend = "openai"\nurl = "http://127.0.0.1:1/v1"\n', ["[embedding] model"]),
    ],
)
def test_a_wrong_file_is_explained(aggregator, tmp_path, text, words):
    """A wrong configuration is exit status 2 and one line: file, table, key, what is wrong, what is allowed."""
    path = tmp_path / "aggregator.toml"
    path.write_text(text)
    done = aggregator("check-config", config=path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert all(word in done.stderr for word in [str(path), *words]), done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('url = "ftp://b.example/"', ["url", "http://"]),
        ('url = "https://[b/"', ["url", "no host"]),
        ('url = "https://b.example:99999/"', ["url", "port"]),
        ('url = "https://b.example/"\ncountry = "lv"', ["country", "two capital letters"]),
        ('url = "https://b.example/"\ntimezone = "Europe/Rigga"', ["timezone", "Europe/Rigga"]),
        ('url = "https://b.example/"\nlangauge = "lv"', ["langauge", "did you mean language"]),
    ],
)
def test_a_wrong_feed_is_explained(aggregator, tmp_path, line, words):
    """A wrong feed is one line that names file, number, key and what is wrong; the file may be named by its whole path."""
    feeds = tmp_path / "elsewhere" / "f.toml"
    feeds.parent.mkdir()
    (tmp_path / "aggregator.toml").write_text(f'feeds = ["{feeds}"]\n')
    feeds.write_text(f'[[feed]]\nurl = "https://a.example/"\noutlet = "A"\n[[feed]]\n{line}\noutlet = "B"\n')
    done = aggregator("check-config", config=tmp_path / "aggregator.toml")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert all(word in done.stderr for word in ["f.toml: [[feed]] number 2: ", *words]), done.stderr


def test_the_default_configuration_takes_nothing_away(tmp_path, monkeypatch):
    """Written into a folder `config` that is there already, it leaves the files of that folder as they are."""
    mine = tmp_path / "config" / "feeds" / "baltics.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text("# mine\n")
    monkeypatch.chdir(tmp_path)
    assert _write_default_config() == Path("config/aggregator.toml")
    assert mine.read_text() == "# mine\n"
    assert (tmp_path / "config" / "feeds" / "nordics.toml").is_file()


def test_no_place_for_the_default_configuration(aggregator, tmp_path, monkeypatch):
    """Where it cannot be written, `run` says so in one line with exit status 2."""
    (tmp_path / "config").write_text("a file, not a folder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aggregator.cli.app.find_config", lambda _given: None)  # whatever /etc/aggregator holds here
    done = aggregator("run")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "--config" in done.stderr


def test_a_full_disk_under_the_output_is_one_line(news):
    """What cannot be written where the output goes is said in one line, with exit status 1."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "aggregator", "--config", str(news.config), "stories", "--since", "7d"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == ["aggregator: [Errno 28] No space left on device"]


def test_no_database_yet(aggregator, tmp_path):
    """Asked before the daemon ever ran, a command says so with exit status 4."""
    config = tmp_path / "aggregator.toml"
    config.write_text(f'feeds = []\n[database]\npath = "{tmp_path}/none.db"\n')
    done = aggregator("stories", config=config)
    assert done.returncode == 4
    assert "none.db" in done.stderr


def test_backup_and_restore(aggregator, news, tmp_path):
    """A backup is a whole database; restored elsewhere it gives the same stories; a damaged one is refused with 6."""
    copy = tmp_path / "copy.db"
    assert news.run("backup", copy).returncode == 0
    other = tmp_path / "aggregator.toml"
    other.write_text(f'feeds = []\n[database]\npath = "{tmp_path}/restored.db"\n')
    assert aggregator("restore", copy, config=other).returncode == 0
    theirs = json.loads(aggregator("stories", "--since", "7d", "--json", config=other).stdout)
    assert [row["story_id"] for row in theirs] == [row["story_id"] for row in news.load("stories", "--since", "7d")]
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(copy.read_bytes()[:8192] + b"\xff" * 8192 + copy.read_bytes()[16384:])
    assert aggregator("restore", damaged, config=other).returncode == 6


def test_a_snapshot_stands_alone(news, tmp_path):
    """A published copy is one file without a log, readable from a folder that cannot be written."""
    target = tmp_path / "public" / "news.db"
    assert news.run("snapshot", target).returncode == 0
    assert [path.name for path in target.parent.iterdir()] == ["news.db"]
    with sqlite3.connect(f"file:{target}?immutable=1", uri=True) as db:
        assert db.execute("SELECT count(*) FROM coverage").fetchone()[0] > 250
    db.close()


def test_export_forms(news, tmp_path):
    """Items and stories go out as JSON Lines and CSV, stories as Atom that feedparser reads without complaint."""
    items = [json.loads(line) for line in news.run("export", "items").stdout.splitlines()]
    assert len(items) > 250
    assert news.run("export", "items", "--format", "csv").stdout.splitlines()[0].startswith("item_id,")
    atom = tmp_path / "stories.atom"
    assert news.run("export", "stories", "--format", "atom", "-o", atom).returncode == 0
    read = feedparser.parse(io.BytesIO(atom.read_bytes()))
    assert not read.bozo
    assert len(read.entries) > 10
    assert news.run("export", "items", "--format", "atom").returncode == 2
    assert news.run("export", "items", "-o", tmp_path / "no" / "such" / "folder").returncode == 2


def test_evaluate_scores_and_writes_assignments(news, tmp_path):
    """`evaluate` groups labelled items, prints the scores and writes {id: story}; a wrong line is named."""
    gold = tmp_path / "gold.jsonl"
    texts = [
        "Bridge over the Venta opens in Kuldiga",
        "New Venta bridge opens to traffic in Kuldiga",
        "Cat wins chess title",
    ]
    lines = [
        {"id": f"g{n}", "title": t, "summary": "", "lang": "en", "country": "LV", "outlet": f"O{n}",
         "published": f"2026-02-20T10:0{n}:00Z", "cluster": "A" if n < 2 else "B"}
        for n, t in enumerate(texts)
    ]  # fmt: skip
    gold.write_text("\n".join(map(json.dumps, lines)) + "\n")
    out = tmp_path / "out.json"
    done = news.run("evaluate", gold, "--assignments", out, "--json")
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["scores"]["bcubed"]["f1"] <= 1
    assert set(json.loads(out.read_text())) == {"g0", "g1", "g2"}
    gold.write_text('{"id": "x"}\n')
    wrong = news.run("evaluate", gold)
    assert wrong.returncode == 2
    assert "line 1" in wrong.stderr


def test_maintain_tidies_and_indexes_anew(news):
    """`maintain --reindex` builds the search anew, and it finds what it found before."""
    before = [hit["item_id"] for hit in news.load("search", "nairobi")]
    done = news.run("maintain", "--reindex")
    assert done.returncode == 0
    assert "items indexed anew" in done.stdout
    assert [hit["item_id"] for hit in news.load("search", "nairobi")] == before
