"""A request → a page. Each function takes the Reader and what was asked, and gives a template with its values."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aggregator.cleaning import plain_line
from aggregator.models import parse_iso
from aggregator.store.reader import Reader
from aggregator.web import questions
from aggregator.web.wording import MARKS, Bars, ago, headline, made, paragraphs, pieces, span, timeline_bars

__all__ = ["ROUTES", "Asked", "Page", "View", "feeds", "front", "item", "search", "story"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the parts of its path, its query, and when it came."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    now: datetime

    def one_of(self, key: str, allowed: Mapping[str, Any], otherwise: str) -> str:
        """A value of the query that is one of those allowed."""
        value = self.query.get(key, "")
        return value if value in allowed else otherwise

    def number(self, key: str, otherwise: int, most: int) -> int:
        """A whole number of the query between 1 and `most`."""
        text = self.query.get(key, "")
        return max(1, min(int(text), most)) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise  # noqa: PLR2004 - digits


@dataclass(frozen=True, slots=True)
class Page:
    """What to answer: a template with its values, or where to go instead."""

    template: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    redirect: str = ""


View = Callable[[Reader, Asked], Page]

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Period:
    words: str
    slots: int
    step: timedelta


_PERIODS = {
    "6h": _Period("6 hours", 24, timedelta(minutes=15)),
    "24h": _Period("24 hours", 24, timedelta(hours=1)),
    "3d": _Period("3 days", 24, timedelta(hours=3)),
    "7d": _Period("7 days", 28, timedelta(hours=6)),
    "30d": _Period("30 days", 30, timedelta(days=1)),
}
_OUTLETS = {"2": "2 or more", "3": "3 or more", "5": "5 or more", "10": "10 or more"}
_STORIES, _MOST_STORIES = 24, 240
_FOUND, _MOST_FOUND = 20, 100
_FEEDS = 100


# --- the front page ------------------------------------------------------------------------------------------------


def front(reader: Reader, asked: Asked) -> Page:
    """The top stories of a period, of a country, in a language."""
    countries = {row["code"]: row for row in questions.countries_told(reader)}
    languages = {row["code"]: row["name"] for row in questions.languages_told(reader)}
    chosen = {
        "since": asked.one_of("since", _PERIODS, "24h"),
        "country": asked.one_of("country", countries, ""),
        "language": asked.one_of("language", languages, ""),
        "outlets": asked.one_of("outlets", _OUTLETS, "2"),
    }
    limit = asked.number("limit", _STORIES, _MOST_STORIES)
    period = _PERIODS[chosen["since"]]
    since = asked.now - period.slots * period.step
    rows = reader.stories(since, limit + 1, chosen["country"], chosen["language"], int(chosen["outlets"]))
    stories = _with_heads(reader, rows[:limit], since, period, asked.now)
    masthead = questions.masthead(reader, asked.now)
    return Page(
        "front.html",
        {
            "stories": stories,
            "period": period.words,
            "chosen": chosen,
            "periods": {key: p.words for key, p in _PERIODS.items()},
            "countries": countries,
            "languages": languages,
            "outlets": _OUTLETS,
            "more": min(2 * limit, _MOST_STORIES) if len(rows) > limit < _MOST_STORIES else 0,
            **masthead,
            "newest_ago": ago(masthead["newest"], asked.now),
            "now": asked.now,
        },
    )


def _with_heads(reader: Reader, rows: list[Row], since: datetime, period: _Period, now: datetime) -> list[Row]:
    ids = [row["story_id"] for row in rows]
    heads, firsts = questions.story_heads(reader, ids), questions.first_reports(reader, ids)
    counts = questions.coverage_over_time(reader, ids, since, period.step, period.slots)
    names, language = questions.language_names(reader), questions.reader_language(reader)
    stories = []
    for row in rows:
        head = heads.get(row["story_id"])
        if head is None:  # merged or pruned since the first question
            continue
        stories.append({
            **row,
            **_summary(head, language),
            "headline": headline(head, language, head["reader_origin"]),
            "first": firsts.get(row["story_id"]),
            "bars": Bars(since, period.step, counts[row["story_id"]]),
            "latest": ago(row["last_item_at"], now),
            "language_names": [names.get(tag, tag) for tag in row["languages"].split()],
        })  # fmt: skip
    return stories


def _summary(row: Row, language: str) -> Row:
    """The one sentence under a title: in the reader's language when there is one, else the outlet's."""
    title = plain_line(row["reader_title"] or row["title"])
    text = row["reader_summary"] or row["sentence"] or ""
    words = "" if plain_line(text) == title else text
    return {"summary": words, "summary_language": language if row["reader_summary"] else row["language"]}


# --- a story -------------------------------------------------------------------------------------------------------


def story(reader: Reader, asked: Asked) -> Page:
    """One story: who told it, when, where, in which words."""
    number = _number(asked)
    row = reader.story(number) if number else None
    if row is None:
        return _missing(f"There is no story {asked.path['number']}.")
    if row["story_id"] != number:
        return Page(redirect=f"/story/{row['story_id']}")
    language, names = questions.reader_language(reader), questions.language_names(reader)
    items = reader.timeline(number)
    _told(reader, items, language, names)
    head = questions.story_heads(reader, [number]).get(number)
    origin = head["reader_origin"] if head else None
    countries = questions.countries_of(reader, number)
    first = next((i for i in items if i["first"]), None)
    moments = [parse_iso(i["published_at"]) for i in items]
    return Page(
        "story.html",
        {
            "story": row,
            "headline": headline(head or {**row, "reader_title": None}, language, origin),
            **(_summary(head, language) if head else {"summary": ""}),
            "made": made(origin) if origin == "machine" else "",
            "items": items,
            "first": first,
            "digest": questions.digest(reader, number, language),
            "language": language,
            "countries": countries,
            "most": max((c["item_count"] for c in countries), default=1),
            "titles": _by_language(items, names),
            "bars": timeline_bars(moments),
            "lasted": span(max(moments) - min(moments)) if items else "",
            "reprints": sum(i["reprint"] for i in items),
            "latest": ago(row["last_item_at"], asked.now),
        },
    )


def _told(reader: Reader, items: list[Row], language: str, names: Mapping[str, str], key: str = "item_id") -> None:
    """Add to each telling of a story what the list shows of it."""
    made_by = questions.origins(reader, [i[key] for i in items])
    for i in items:
        i["number"] = i[key]
        i["headline"] = headline(i, language, made_by.get(i[key]))
        i["language_name"] = names.get(i["language"], i["language"])
        if i.get("minutes"):
            i["after"] = span(timedelta(minutes=i["minutes"]))


def _by_language(items: list[Row], names: Mapping[str, str]) -> list[Row]:
    """For each language the title that stands best for it: an own text rather than a reprint, then the surest member."""
    most = Counter(i["language"] for i in items)
    best: dict[str, Row] = {}
    for i in sorted(items, key=lambda i: (i["reprint"], -i["similarity"], i["published_at"], i["item_id"])):
        best.setdefault(i["language"], i)
    return [
        {**best[tag], "name": names.get(tag, tag) or "unknown language", "count": count}
        for tag, count in most.most_common()
    ]


# --- an item -------------------------------------------------------------------------------------------------------


def item(reader: Reader, asked: Asked) -> Page:
    """One item, and its Similar Coverage."""
    number = _number(asked)
    row = reader.item(number) if number else None
    if row is None:
        return _missing(f"There is no item {asked.path['number']}, or it was removed as old.")
    language = questions.reader_language(reader)
    similar = reader.similar(row["item_id"])
    _told(reader, similar, language, questions.language_names(reader), "similar_item_id")
    translated = row["language"] != language and row["reader_origin"] not in (None, "original")
    body, body_language = (row["reader_body"], language) if row["reader_body"] else (row["body"], row["language"])
    summary = _summary(row, language)
    if not body and not translated:  # all that the outlet says: the sentence above is only a part of it
        body = row["summary"]
    if plain_line(body or "") == plain_line(summary["summary"]):
        body = ""
    return Page(
        "item.html",
        {
            "item": row,
            "headline": headline(row, language, row["reader_origin"]),
            **summary,
            "body": paragraphs(body),
            "body_language": body_language,
            "made": made(row["reader_origin"]) if translated else "",
            "original": [p for p in (row["summary"], *paragraphs(row["body"])) if p] if translated else [],
            "extracted": row["sentence_origin"] == "extractive" and not translated,
            "similar": similar,
        },
    )


# --- search --------------------------------------------------------------------------------------------------------


def search(reader: Reader, asked: Asked) -> Page:
    """Items that hold the words."""
    words = plain_line(asked.query.get("q", ""))[:200]
    limit = asked.number("limit", _FOUND, _MOST_FOUND)
    rows = reader.search(words, limit + 1, marks=MARKS) if words else []
    language = questions.reader_language(reader)
    found = rows[:limit]
    made_by = questions.origins(reader, [row["item_id"] for row in found])
    for row in found:
        row["headline"] = headline(row, language, made_by.get(row["item_id"]))
        shown = list(pieces(row["snippet"]))
        row["pieces"] = [] if plain_line("".join(text for text, _ in shown)) == plain_line(row["title"]) else shown
    more = min(2 * limit, _MOST_FOUND) if len(rows) > limit < _MOST_FOUND else 0
    return Page("search.html", {"words": words, "found": found, "more": more, "cut": len(rows) > limit})


# --- the feeds -----------------------------------------------------------------------------------------------------

_GROUPS = {
    "trouble": ("In trouble", ("failing", "blocked", "gone")),
    "stale": ("Silent", ("stale",)),
    "ok": ("Fine", ("ok",)),
    "new": ("Not polled yet", ("new",)),
    "off": ("Off", ("off", "removed")),
    "all": ("All", ("failing", "blocked", "gone", "stale", "ok", "new", "off", "removed")),
}


def feeds(reader: Reader, asked: Asked) -> Page:
    """How the feeds are, and why."""
    states = questions.feed_states(reader)
    groups = {
        key: {"words": words, "count": sum(states.get(s, 0) for s in members)}
        for key, (words, members) in _GROUPS.items()
    }
    usual = next((key for key in ("trouble", "stale") if groups[key]["count"]), "all")
    group = asked.one_of("state", _GROUPS, usual)
    number = asked.number("page", 1, 10_000)
    rows = questions.feeds(reader, _GROUPS[group][1], _FEEDS + 1, (number - 1) * _FEEDS)
    for row in rows:
        row["polled"] = ago(row["last_poll_at"], asked.now)
        row["next"] = ago(row["next_poll_at"], asked.now)
        row["new"] = ago(row["last_new_item_at"], asked.now)
        row["cadence"] = span(timedelta(seconds=row["cadence_s"])) if row["cadence_s"] else ""
    due = reader.next_due_at()
    return Page(
        "feeds.html",
        {
            "groups": groups,
            "group": group,
            "rows": rows[:_FEEDS],
            "page": number,
            "more": len(rows) > _FEEDS,
            "counts": reader.counts(asked.now),
            "late": span(asked.now - due) if due and asked.now - due > timedelta(minutes=5) else "",
            "waiting": reader.query("SELECT count(*) AS n FROM to_cluster")[0]["n"],
        },
    )


def _number(asked: Asked) -> int:
    """The number in the path; 0 for one that no row can have."""
    number = int(asked.path["number"][:20])
    return number if number <= _LARGEST_ID else 0


def _missing(message: str) -> Page:
    return Page("error.html", {"status": 404, "title": "Not found", "error": message}, status=404)


ROUTES: tuple[tuple[str, View], ...] = (
    (r"/$", front),
    (r"/story/(?P<number>[0-9]{1,20})$", story),
    (r"/item/(?P<number>[0-9]{1,20})$", item),
    (r"/search$", search),
    (r"/feeds$", feeds),
)
