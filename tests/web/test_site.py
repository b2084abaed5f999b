"""The web server as programs meet it: statuses, headers, and the file in every state it can be in."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime

import httpx
import newsroom as kit
import pytest
from newsroom import ENGLISH, fill, read_json, served

from aggregator.store.schema_doc import examples

PAGES = (
    "/",
    "/story/1",
    "/item/1",
    "/search?q=ferry",
    "/feeds",
    "/aggregator",
    "/aggregator/coverage",
    "/aggregator/items",
)


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_its_policy(get, path):
    """Scripts from data cannot run on any page, ours need none, and no page may be framed or guessed at."""
    answer = get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    scripts = policy.partition("script-src ")[2].partition(";")[0]
    assert "unsafe" not in scripts
    if not path.startswith("/aggregator"):
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "<script" not in answer.text
        assert " style=" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [("/item/0", 404), ("/item/99999999999999999999", 404), ("/story/424242", 404), ("/item/x", 404), ("/nix", 404),
     ("/aggregator/nix", 404), ("/aggregator?sql=selec", 400), ("/?since=never&country=XX&limit=-3&outlets=x", 200),
     ("/feeds?state=x&page=999999999", 200), ("/search?q=%22%22*+AND+OR", 200), ("/search?q=%00", 200)],
)  # fmt: skip
def test_wrong_addresses_are_answered_politely(get, path, status):
    """Nothing that is typed into the address makes the server fail."""
    answer = get(path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_errors_as_json_where_json_is_asked_for(get):
    """A program that asks for a table that is not there gets JSON."""
    answer = get("/aggregator/nix.json")
    assert answer.status_code == 404
    assert answer.json()["ok"] is False


def test_a_merged_story_leads_to_the_one_it_became_part_of(get, newsroom):
    """Old addresses of stories stay good."""
    answer = get(f"/story/{newsroom.merged}")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/story/{newsroom.ferry}"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading_is_answered(get, method):
    """No method that could change anything reaches Datasette."""
    answer = get("/aggregator/items", method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_head_is_get_without_the_body(get):
    """Both kinds of page answer HEAD."""
    for path in ("/", "/aggregator"):
        answer = get(path, "HEAD")
        assert answer.status_code == 200
        assert answer.content == b""


@pytest.mark.parametrize(
    ("host", "status"), [("localhost:1", 200), ("[::1]", 200), ("10.0.0.7:8001", 200), ("evil.example", 421)]
)
def test_a_name_that_is_not_ours_is_refused(get, host, status):
    """A web site that points its own name at this machine cannot read the pages (DNS rebinding)."""
    assert get("/", host=host).status_code == status


def test_sql_that_writes_is_refused(get, newsroom):
    """Neither by SQL of one's own nor by a trick within it is anything written."""
    before = newsroom.path.read_bytes()
    for sql in ("delete from items", "select 1; delete from items", "pragma user_version=7", "attach '/tmp/x' as x"):
        assert get(f"/aggregator.json?sql={sql}").status_code == 400
    assert newsroom.path.read_bytes() == before


def test_the_documented_queries_are_there_to_run(get):
    """Every query that docs/schema.md shows is a canned query, and runs with its parameters."""
    listed = {query["title"] for query in read_json(get("/aggregator.json"))["queries"]}
    assert {f"{e.view}: {e.question}" for e in examples()} <= listed
    rows = read_json(get("/aggregator/coverage-the-page-of-one-item.json?item_id=3&_shape=array"))
    assert rows[0]["title"] == ENGLISH
    assert len(read_json(get("/aggregator/neighbours.json?_shape=array"))) > 3


def test_style_is_cached_for_ever_under_its_digest(get):
    """A page names its style by a digest of it, so that a browser asks once and never shows an old one."""
    address = get("/").text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert "immutable" in get(address).headers["cache-control"]
    assert "immutable" not in get("/assets/style.css").headers.get("cache-control", "")


# --- the file --------------------------------------------------------------------------------------------------------


def told(address, path="/"):
    """A page that must be there."""
    answer = httpx.get(address + path, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.text


_WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[2]).parent))
from datetime import UTC, datetime
from newsroom import Desk, article
from aggregator.store.writer import open_writer
with open_writer(Path(sys.argv[1]), now=datetime.now(UTC)) as writer:
    desk, n = Desk(writer, datetime.now(UTC).replace(microsecond=0)), 0
    while True:
        n += 1
        desk.brings("de", article(f"w{n}", f"Meldung Nummer {n}", "de", desk.now))
        print(n, flush=True)
"""


def test_the_pages_are_there_whatever_happens_to_the_file(tmp_path):
    """While a daemon writes as fast as it can, after kill -9, after its clean end, after the log is gone, after a restore."""
    path = tmp_path / "data" / "news.db"
    fill(path, datetime.now(UTC).replace(microsecond=0))
    command = [sys.executable, "-c", _WRITER, str(path), kit.__file__]
    with served(path) as address:
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout.readline() == "1\n"
        for _ in range(3):
            for page in PAGES:
                told(address, page)
        writer.send_signal(signal.SIGKILL)
        last = int(writer.communicate()[0].split()[-1])
        assert last > 3
        assert f"Meldung Nummer {last}" in told(address, f"/search?q=Meldung+{last}")
        told(address, "/aggregator/items")

        with sqlite3.connect(path) as db:  # another program's writer, which takes the log away when it ends
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        for page in PAGES:
            told(address, page)

        other = tmp_path / "other" / "news.db"
        fill(other, datetime.now(UTC).replace(microsecond=0))
        other.replace(path)
        assert "Nothing found" in told(address, f"/search?q=Meldung+{last}")
        assert (
            read_json(httpx.get(address + "/aggregator.json?sql=select+count(*)+as+n+from+items&_shape=array"))[0]["n"]
            == 12
        )

        path.rename(tmp_path / "away.db")
        assert httpx.get(address + "/").status_code == 503
        for _ in range(3):  # Datasette's own page
            assert httpx.get(address + "/aggregator/items").status_code == 503
        (tmp_path / "away.db").rename(path)
        told(address)


def test_a_user_who_may_only_read_can_serve_the_pages(tmp_path):
    """Another user, without the right to write to file or folder, serves a file whose log is gone."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    folder = tmp_path / "data"
    fill(folder / "news.db", datetime.now(UTC).replace(microsecond=0))
    for name in ("news.db-wal", "news.db-shm"):
        (folder / name).unlink(missing_ok=True)
    for path, mode in (
        (folder, 0o755),
        (folder / "news.db", 0o644),
        *((p, 0o755) for p in list(tmp_path.parents)[:2]),
        (tmp_path, 0o755),
    ):
        path.chmod(mode)
    become = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534); "
    code = become + "from aggregator.cli.main import main; main()"
    if subprocess.run(
        [sys.executable, "-c", become + "import aggregator.web.server"], capture_output=True, check=False
    ).returncode:
        pytest.skip("other users may not read this Python or this checkout")
    command = [sys.executable, "-c", code, "--database", str(folder / "news.db"), "web", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        address = process.stderr.readline().partition(" at ")[2].partition("/ ")[0]
        assert address, process.stderr.read()
        for page in PAGES:
            told(address, page)
    finally:
        process.terminate()
        process.communicate(timeout=10)


# --- the command -----------------------------------------------------------------------------------------------------


def started(*words, code="from aggregator.cli.main import main; main()"):
    """`aggregator …`, begun."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_mistakes_are_told_in_one_line(tmp_path, newsroom):
    """No database, a port that is taken, a metadata file that is none: one line each, and the exit status of the kind."""
    (tmp_path / "aggregator.toml").write_text("")
    (tmp_path / "datasette.yaml").write_text("{ [")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mistakes = [  # at once: most of a start is Python's own imports
            (started("--database", tmp_path / "none.db", "web"), 4, "no such database"),
            (started("--database", newsroom.path, "web", "--port", taken.getsockname()[1]), 2, "choose another with --host or --port"),
            (started("--config", tmp_path / "aggregator.toml", "--database", newsroom.path, "web"), 2, "datasette.yaml: neither YAML nor JSON"),
        ]  # fmt: skip
        for process, status, message in mistakes:
            said = process.communicate(timeout=60)[1]
            assert (process.returncode, said.count("\n")) == (status, 1), said
            assert message in said


def test_without_datasette_the_command_says_what_to_install(newsroom):
    """The pages are an optional part: the rest of the command line works without it."""
    code = "import sys; sys.modules['datasette'] = None; sys.modules['uvicorn'] = None; from aggregator.cli.main import main; main()"
    web = started("--database", newsroom.path, "web", code=code)
    search = started("--database", newsroom.path, "search", "ferry", code=code)
    said = web.communicate(timeout=60)[1]
    assert web.returncode == 2
    assert "pip install 'aggregator[web]'" in said
    found = search.communicate(timeout=60)[0]
    assert search.returncode == 0
    assert ENGLISH in found


def test_queries_of_ones_own_beside_the_configuration(tmp_path, newsroom):
    """A datasette.yaml next to the configuration in use takes the place of the one that comes with the program."""
    shutil.copy(newsroom.path, tmp_path / "copy.db")
    (tmp_path / "aggregator.toml").write_text(f"[database]\npath = {str(tmp_path / 'copy.db')!r}\n")
    (tmp_path / "datasette.yaml").write_text("databases: {aggregator: {queries: {mine: select 41 + 1 as answer}}}\n")
    command = [sys.executable, "-m", "aggregator", "--config", str(tmp_path), "web", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    address = process.stderr.readline().partition(" at ")[2].partition("/ ")[0]
    try:
        assert httpx.get(address + "/aggregator/mine.json?_shape=array").json() == [{"answer": 42}]
    finally:
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=10)[1]
    assert process.returncode == 0
    assert said.strip() == "stopped"
    assert time.monotonic() - began < 5
