"""Commands that read: stories, show, search."""

import re
import sys
import textwrap
from datetime import timedelta
from typing import Any

import click

from aggregator.cleaning import plain, plain_line
from aggregator.cli.app import App, Duration, pass_app
from aggregator.cli.output import Column, json_option, print_json, print_rows
from aggregator.cli.why import in_words
from aggregator.errors import NotFoundError, UsageError
from aggregator.service.clock import utcnow
from aggregator.store.reader import Reader

__all__ = ["search", "show", "stories"]

Row = dict[str, Any]

_WIDTH = 100


@click.command()
@click.option(
    "--since",
    type=Duration(),
    default="24h",
    show_default=True,
    help="Only stories with news since then: 90m, 24h, 7d.",
)
@click.option("--country", metavar="CODE", help="Only stories told there: LV.")
@click.option("--language", metavar="TAG", help="Only stories told in it: lv.")
@click.option(
    "--min-outlets", type=click.IntRange(min=2), default=2, show_default=True, help="Told by at least so many outlets."
)
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, help="The most to print.")
@json_option
@pass_app
def stories(
    app: App, since: timedelta, country: str | None, language: str | None, min_outlets: int, limit: int, as_json: bool
) -> None:
    """List the top stories: what several outlets tell, best first."""
    with app.reader() as reader:
        rows = reader.stories(utcnow() - since, limit, country, language, min_outlets)
        heads = {head["story_id"]: head for head in reader.heads([row["story_id"] for row in rows])}
    for row in rows:
        row["story"] = f"s{row['story_id']}"
        head = heads.get(row["story_id"], {})
        row["reader_title"], row["reader_origin"] = head.get("reader_title"), head.get("reader_origin")
        mark = " (machine translation)" if row["reader_origin"] == "machine" and row["reader_title"] else ""
        row["headline"] = f"{row['reader_title'] or row['title']}{mark}"
    columns = [
        Column("story", "story", "right", "cyan"),
        Column("outlet_count", "outlets", "right"),
        Column("flags", "countries", narrow=True),
        Column("last_item_at", "latest (UTC)", style="dim"),
        Column("headline", "title", wrap=True),
    ]
    print_rows(rows, columns, as_json=as_json, none="no story of several outlets in this time; see `aggregator health`")


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The most to print.")
@json_option
@pass_app
def search(app: App, words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find items that hold all WORDS, in any script, best match first.

    Words in double quotes must follow each other; a trailing * finds beginnings. Case and diacritics do not matter.
    """
    with app.reader() as reader:
        rows = reader.search(" ".join(words), limit)
    columns = [
        Column("item_id", "item", "right", "cyan"),
        Column("label", "when", style="dim"),
        Column("flag", ""),
        Column("outlet", "outlet", narrow=True),
        Column("title", "title", wrap=True),
        Column("snippet", "found", style="dim", wrap=True),
    ]
    print_rows(rows, columns, as_json=as_json, none="nothing found")


@click.command()
@click.argument("which", metavar="ITEM|STORY")
@click.option("--why", is_flag=True, help="Say what put the items into the story.")
@json_option
@pass_app
def show(app: App, which: str, why: bool, as_json: bool) -> None:
    """Print the page of an item (345) or of a story (s12)."""
    match = re.fullmatch(r"(?:(item|i|story|s)[:#]?)?(\d{1,18})", which.strip().lower())
    if match is None:
        raise UsageError(f"{which!r} is neither an item (345) nor a story (s12)")
    number, is_story = int(match[2]), (match[1] or "").startswith("s")
    with app.reader() as reader:
        page = _story_page(reader, number, why) if is_story else _item_page(reader, number, why)
    if as_json:
        print_json(page)
    elif is_story:
        _print_story(page)
    else:
        _print_item(page)


def _item_page(reader: Reader, item_id: int, why: bool) -> Row:
    item = reader.item(item_id)
    if item is None:
        raise NotFoundError(f"there is no item {item_id}")
    page = {**item, "similar_coverage": reader.similar(item_id)}
    if why:
        page["why"] = reader.why(item_id)
    return page


def _story_page(reader: Reader, story_id: int, why: bool) -> Row:
    story = reader.story(story_id)
    if story is None:
        raise NotFoundError(f"there is no story {story_id}")
    items = reader.timeline(story["story_id"])
    if why:
        for item in items:
            item["why"] = reader.why(item["item_id"])
    heads = reader.query("SELECT * FROM story_heads WHERE story_id = ?", (story["story_id"],))
    told = "SELECT d.* FROM story_digest AS d JOIN meta AS r ON r.key = 'reader_language' AND r.value = d.language WHERE d.story_id = ? ORDER BY d.position"
    return {
        **story,
        "head": heads[0] if heads else None,
        "digest": reader.query(told, (story["story_id"],)),
        "items": items,
    }


def _print_item(page: Row) -> None:
    head = f"{page['label']} {page['flag']} {page['country_name']} {page['outlet']}"
    lines = [click.style(head, dim=True), click.style(_best(page, "title"), bold=True)]
    if page["reader_title"] and page["reader_title"] != page["title"]:
        lines.append(
            click.style(f"{plain_line(page['title'])} ({page['language_name']}; above: {_maker(page)})", dim=True)
        )
    summary = plain_line(page["reader_summary"] or page["sentence"])
    if summary:
        lines += [_wrapped(summary)]
    lines += [click.style(f"({note})", dim=True) for note in _notes(page)]
    body = page["reader_body"] or page["body"] or ("" if page["reader_summary"] and _made(page) else page["summary"])
    if body and plain_line(body) != summary:
        lines += ["", *(_wrapped(part) + "\n" for part in plain(body).split("\n\n"))]
        lines[-1] = lines[-1].rstrip("\n")
    lines.append(click.style(page["link"], fg="cyan"))
    lines += _why_lines(page.get("why"))
    others = page["similar_coverage"]
    lines += ["", click.style("📡 Similar Coverage", bold=True)]
    if not others:
        lines.append("  none yet" if page["story_id"] else "  not grouped yet")
    for other in others:
        lines += _told(other, other["similar_item_id"])
    if others:
        lines += ["", click.style(f"story s{page['story_id']}", dim=True)]
    click.echo("\n".join(lines))


def _made(row: Row) -> bool:
    """Whether the texts in the reader's language are not the outlet's own."""
    return row["reader_origin"] not in (None, "original")


def _maker(row: Row) -> str:
    """What made the texts in the reader's language, in words."""
    if row["reader_origin"] != "machine":
        return str(row["reader_origin"])
    return f"machine translation by {plain_line(row['reader_model'] or 'an unnamed model')}, {row['reader_made_at']}"


def _notes(page: Row) -> list[str]:
    """Where summary and body come from, when that is not the feed itself."""
    notes = []
    if (
        not page["reader_body"]
        and not page["reader_summary"]
        and page["reader_origin"] is None
        and page["language_name"]
    ):
        notes.append(f"not translated yet; in {page['language_name']}")
    if page["sentence_origin"] == "extractive" and not _made(page):
        notes.append("summary: a sentence of the article")
    if page["text_origin"] == "page":
        notes.append(f"text: from the article's page by {page['text_model']}, {page['text_made_at']}")
    return notes


def _print_story(page: Row) -> None:
    head = page["head"] or {}
    title, shown = plain_line(page["title"]), plain_line(head.get("reader_title") or page["title"])
    machine = (
        f" (machine translation by {plain_line(head['reader_model'] or 'an unnamed model')})"
        if head.get("reader_origin") == "machine"
        else ""
    )
    counts = f"{page['item_count']} items, {page['outlet_count']} outlets, {page['country_count']} countries, {page['language_count']} languages"
    lines = [
        click.style(f"story s{page['story_id']}  {page['flags']}", dim=True),
        click.style(shown, bold=True) + (click.style(machine, dim=True) if shown != title else ""),
        *([click.style(title, dim=True)] if shown != title else []),
        counts
        + (
            f"; first reported by {page['first_flag']} {page['first_reported_by']}" if page["first_reported_by"] else ""
        ),
        "",
    ]
    if head and (head["reader_summary"] or head["sentence"]):
        made = machine if head["reader_summary"] else ""
        lines += [_wrapped(plain_line(head["reader_summary"] or head["sentence"])) + click.style(made, dim=True), ""]
    for added in page["digest"]:
        mark = ", machine translation" if added["origin"] == "machine" else ""
        lines.append(
            f"  • {plain_line(added['sentence'])}"
            + click.style(f" — {added['flag']} {added['outlet']}{mark}", dim=True)
        )
    if page["digest"]:
        lines.append("")
    for item in page["items"]:
        lines += _told(item, item["item_id"])
        lines += _why_lines(item.get("why"), "      ")
    click.echo("\n".join(lines))


def _told(row: Row, item_id: int) -> list[str]:
    """One telling of the story: when, where, who; then its title, and the reader's when it is another."""
    reprint = " (reprint)" if row["reprint"] else ""
    head = f"  {row['label']} {row['flag']} {row['country_name']} {row['outlet']}{reprint}"
    title = plain_line(row["title"])
    reader = plain_line(row["reader_title"] or "")
    mark = click.style(" (machine translation)", dim=True) if row["reader_origin"] == "machine" else ""
    translated = f"\n      {reader}{mark}" if reader and reader != title else ""
    return [click.style(head, dim=True) + click.style(f"  [{item_id}]", fg="cyan"), f"      {title}{translated}"]


def _why_lines(why: Row | None, indent: str = "") -> list[str]:
    if not why:
        return []
    told = f"why: {in_words(why)}"
    return [click.style(textwrap.fill(told, _WIDTH, initial_indent=indent, subsequent_indent=indent), dim=True)]


def _best(page: Row, what: str) -> str:
    return plain_line(page[f"reader_{what}"] or page[what])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH) if sys.stdout.isatty() else text
