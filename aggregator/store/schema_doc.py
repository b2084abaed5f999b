"""docs/schema.md from the comments in the database itself: python -m aggregator.store.schema_doc [--check] [FILE]."""

import re
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from aggregator.store.connection import connect
from aggregator.store.migrations import SCHEMA_SEMVER, SCHEMA_VERSION, migrate

__all__ = ["Column", "Example", "Relation", "examples", "main", "relations", "render"]

# What docs/schema.md shows for the values in examples.sql.
SHOWN = {
    "item_id": "345",
    "story_id": "12",
    "feed_id": "3",
    "seq": "1000",
    "country": "'FR'",
    "word": "'earthquake'",
    "two_words": "'earthquake AND coast'",
    "characters": "'東京都'",
}
INTERNAL = frozenset({"search_texts"})  # a view that is for the full-text indexes only

_INTRO = """\
# The database

One SQLite file holds everything, and reading it is the way to use it: with the `sqlite3` command, Datasette, DuckDB, or
any language. Open it read-only (`sqlite3 'file:aggregator.db?mode=ro'`); it can be read at any time, also while the daemon
writes. See [store.md](store.md) for how, for following changes, and for files in other formats.

**The views are the contract**: their names and columns stay as they are through all versions `{major}.*` of the schema
(this is {semver}; `SELECT value FROM meta WHERE key = 'schema_semver'`, and `PRAGMA user_version` = {version}). Tables may
change; those that hold what you need are described here too.

Instants are text like `2026-02-25T06:23:00Z`, always UTC: they compare and sort as they are. Ids are integers and are
never used twice. Names of countries and languages are in the reader's language (`reader.language` in the configuration).

This page is made from the comments in the database: `python -m aggregator.store.schema_doc`.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its comment describes it."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view with its comments; `references` are (column, table) pairs."""

    name: str
    kind: str
    comment: str
    columns: tuple[Column, ...]
    references: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A documented query; `:names` in `sql` stand for values."""

    view: str
    question: str
    sql: str

    def shown(self) -> str:
        """The query with values, as one would type it."""
        return re.sub(r":([a-z_]+)\b", lambda match: SHOWN[match[1]], self.sql)


def examples() -> Iterator[Example]:
    """The documented queries, in the order in which they are printed."""
    text = (files("aggregator.store") / "sql" / "examples.sql").read_text(encoding="utf-8")
    for section in text.split("\n-- # ")[1:]:
        view, _, rest = section.partition("\n")
        for match in re.finditer(r"^-- (.+)\n((?:(?!--).+\n)+)", rest, re.MULTILINE):
            yield Example(view.strip(), match[1], match[2].strip())


def relations(connection: sqlite3.Connection) -> list[Relation]:
    """Every table and view that the migrations made, in their order; full-text indexes left out."""
    rows = connection.execute(
        "SELECT name, type, sql FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' "
        "AND name NOT LIKE '_sqlite_%' AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT LIKE 'search@_%@_%' ESCAPE '@' "
        "ORDER BY rowid"
    )
    return [_relation(connection, *row) for row in rows if row[0] not in INTERNAL]


def _relation(connection: sqlite3.Connection, name: str, kind: str, sql: str) -> Relation:
    comments = {}
    for line in sql.splitlines():
        code, found, comment = line.partition(" -- ")
        pattern = r"(\w+),?\s*$" if kind == "view" else r"\s*(\w+)\b"
        column = (re.search if kind == "view" else re.match)(pattern, code)
        if found and column:
            comments[column[1]] = comment.strip()
    about = re.search(r"AS -- (.+)" if kind == "view" else r"\(\n((?:\s*-- .+\n)+)", sql)
    described = " ".join(re.sub(r"\s*-- |\s+", " ", about[1]).split()) if about else ""
    columns = tuple(
        Column(row["name"], row["type"], comments.get(row["name"], ""))
        for row in connection.execute(f"PRAGMA table_info({name})")
    )
    keys = connection.execute(f"PRAGMA foreign_key_list({name})").fetchall()
    return Relation(name, kind, described, columns, tuple((row["from"], row["table"]) for row in reversed(keys)))


def render(connection: sqlite3.Connection) -> str:
    """The text of docs/schema.md for the schema in this database."""
    found = relations(connection)
    views, tables = ([r for r in found if r.kind == kind] for kind in ("view", "table"))
    asked: dict[str, list[Example]] = {}
    for example in examples():
        asked.setdefault(example.view, []).append(example)
    parts = [_INTRO.format(semver=SCHEMA_SEMVER, major=SCHEMA_SEMVER.split(".", maxsplit=1)[0], version=SCHEMA_VERSION)]
    parts += ["## Views\n", _contents(views)]
    parts += [_section(view, asked.get(view.name, ())) for view in views]
    parts += ["## Tables\n", _picture(tables), _contents(tables)]
    parts += [_section(table, asked.get(table.name, ())) for table in tables]
    return "\n".join(parts)


def _contents(found: list[Relation]) -> str:
    return "".join(f"- [`{r.name}`](#{r.name}): {r.comment}\n" for r in found)


def _section(relation: Relation, asked: tuple[Example, ...] | list[Example]) -> str:
    typed = relation.kind == "table"
    lines = [f"### {relation.name}\n", f"{relation.comment}\n", *_head(typed)]
    for column in relation.columns:
        comment = column.comment.replace("|", "\\|")
        references = "".join(f" → [`{table}`](#{table})" for name, table in relation.references if name == column.name)
        kind = f" {column.type} |" if typed else ""
        lines.append(f"| `{column.name}` |{kind} {comment}{references} |")
    for example in asked:
        lines += ["", example.question, "```sql", example.shown(), "```"]
    return "\n".join(lines) + "\n"


def _head(typed: bool) -> tuple[str, str]:
    return ("| Column | Type | |", "|---|---|---|") if typed else ("| Column | |", "|---|---|")


def _picture(tables: list[Relation]) -> str:
    """Mermaid's entity-relationship diagram of the tables that refer to one another."""
    lines = ["```mermaid", "erDiagram"]
    for table in tables:
        for column, other in table.references:
            if other not in ("countries", "languages"):
                lines.append(f"  {other} ||--o{{ {table.name} : {column}")
    return "\n".join([*lines, "```", ""])


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with --check only say whether it is what it should be: the exit status is 1 when not."""
    given = sys.argv[1:] if arguments is None else arguments
    named = [Path(a) for a in given if not a.startswith("-")]
    path = named[0] if named else Path("docs/schema.md")
    connection = connect(Path(":memory:"), "rwc", timeout_s=0)
    migrate(connection)
    text = render(connection)
    connection.close()
    if "--check" in given:
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        return int(current != text)
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
