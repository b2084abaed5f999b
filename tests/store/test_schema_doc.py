import importlib.util
import re
import sqlite3
from pathlib import Path

import pytest

from aggregator.store.connection import connect
from aggregator.store.migrations import migrate
from aggregator.store.schema_doc import INTERNAL, SHOWN, examples, main, relations

ROOT = Path(__file__).resolve().parents[2]
BIG = {"items", "bodies", "story_items", "stories", "polls", "changes", "sightings", "vectors", "revisions"}
EXAMPLES = list(examples())


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A database of 3,000 items as benchmarks/store makes it, and values for which each example finds something."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "benchmarks/store/generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    path = tmp_path_factory.mktemp("sample") / "sample.db"
    generate.build(path, items=3000, stories=900, feeds=200, bodies=0.1, polls=3000, words=1500)
    connection = connect(path, "ro", timeout_s=5)
    top = connection.execute(
        "SELECT story_id, first_item_id, first_item_at FROM stories WHERE last_item_at > strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day') "
        "ORDER BY country_count DESC LIMIT 1"
    ).fetchone()
    words = (
        connection.execute("SELECT title FROM items WHERE language = 'en' ORDER BY item_id DESC LIMIT 1")
        .fetchone()[0]
        .split()
    )
    han = connection.execute("SELECT title FROM items WHERE language = 'zh' LIMIT 1").fetchone()[0]
    values = {
        "item_id": top["first_item_id"], "story_id": top["story_id"], "feed_id": 3, "seq": 100, "country": "US",
        "word": words[0], "two_words": f"{words[0]} AND {words[1]}", "characters": han[:3],
    }  # fmt: skip
    yield connection, values
    connection.close()


def used(example, values):
    """The values that an example names."""
    return {name: value for name, value in values.items() if f":{name}" in example.sql}


def test_the_page_is_what_the_database_says():
    """docs/schema.md is exactly what the command makes of the schema's comments now."""
    assert main(["--check", str(ROOT / "docs/schema.md")]) == 0, "stale: run python -m aggregator.store.schema_doc"


def test_a_stale_page_is_noticed(tmp_path):
    """A page that differs from the schema in one letter is not let through, and writing it anew repairs it."""
    page = tmp_path / "schema.md"
    page.write_text(
        (ROOT / "docs/schema.md").read_text(encoding="utf-8").replace("outlet", "outlets", 1), encoding="utf-8"
    )
    assert main(["--check", str(page)]) == 1
    assert main([str(page)]) == 0
    assert main(["--check", str(page)]) == 0


def test_every_table_view_and_column_is_described():
    """No table, view or column of the schema goes without a comment."""
    connection = connect(Path(":memory:"), "rwc", timeout_s=0)
    migrate(connection)
    found = relations(connection)
    assert {r.name for r in found} >= {"coverage", "similar_coverage", "top_stories", "items", "changes", "notes"}
    missing = [r.name for r in found if not r.comment]
    missing += [f"{r.name}.{c.name}" for r in found for c in r.columns if not c.comment]
    connection.close()
    assert missing == []


def test_every_view_has_three_examples_that_can_be_shown():
    """Each public view, and `changes`, is documented with at least three queries, values and all."""
    names = [e.view for e in EXAMPLES]
    connection = connect(Path(":memory:"), "rwc", timeout_s=0)
    migrate(connection)
    views = {r[0] for r in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")} - INTERNAL
    connection.close()
    assert {view: names.count(view) for view in names} == dict.fromkeys([*views, "changes"], 3)
    assert all(set(re.findall(r":([a-z_]+)\b", e.sql)) <= set(SHOWN) for e in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.view}: {e.question}")
def test_every_example_finds_something(sample, example):
    """Each documented query runs and returns rows."""
    connection, values = sample
    assert connection.execute(example.sql, used(example, values)).fetchall()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.view}: {e.question}")
def test_the_examples_as_printed_are_sql(sample, example):
    """What docs/schema.md shows can be pasted: it runs as it stands there."""
    sample[0].execute(example.shown()).fetchall()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.view}: {e.question}")
def test_no_example_scans_a_big_table(sample, example):
    """Each documented query finds its rows by an index, or stops at its LIMIT: it stays quick when the file grows."""
    connection, values = sample
    scanned = scans(connection, example.sql, used(example, values))
    assert not scanned & BIG, scanned


def test_a_scan_is_recognised(sample):
    """The check above would notice a query that reads a whole table, through a view too, and one that sorts it."""
    connection, _ = sample
    assert scans(connection, "SELECT * FROM coverage WHERE title = 'x'", {}) == {"items"}
    assert scans(connection, "SELECT * FROM story_timeline ORDER BY similarity LIMIT 3", {}) & BIG
    assert scans(connection, "SELECT count(*) FROM changes WHERE at > '2026'", {}) == {"changes"}


def scans(connection: sqlite3.Connection, sql: str, values: dict) -> set[str]:
    """Tables that a query reads from end to end, by SQLite's own plan."""
    views = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view'").fetchall()
    text = sql + "".join(v["sql"] for v in views if re.search(rf"\b{v['name']}\b", sql))
    alias = {found[1] or found[0]: found[0] for found in re.findall(r"(?:FROM|JOIN) (\w+)(?: AS (\w+))?", text)}
    plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert plan
    stops = "LIMIT" in sql and not any("TEMP B-TREE" in step for step in plan)
    read = {match[1] for step in plan if (match := re.match(r"SCAN (\w+)(?! VIRTUAL)\b(?!.*VIRTUAL)", step))}
    return set() if stops else {alias.get(name, name) for name in read}
