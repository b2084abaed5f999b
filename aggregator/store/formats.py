"""Rows as files that other programs read: OPML, Atom, JSON Feed. Pure: rows in, text out."""

import json
import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

__all__ = ["atom", "json_feed", "opml"]

Row = Mapping[str, Any]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2
_ATOM = "http://www.w3.org/2005/Atom"


def opml(feeds: Iterable[Row], title: str = "aggregator") -> str:
    """Feeds as OPML 2.0, a folder a country; each outline also tells its outlet, country and language.

    Takes rows of `Reader.feeds`, sorted by country.
    """
    root = ET.Element("opml", version="2.0")
    _text(ET.SubElement(root, "head"), "title", title)
    body = ET.SubElement(root, "body")
    for country, of_country in groupby(feeds, key=lambda row: (row["country"], row["flag"])):
        folder = ET.SubElement(body, "outline", text=f"{country[1]} {country[0]}".strip() or "?")
        for row in of_country:
            attributes = {
                "type": "rss",
                "text": row["title"] or row["outlet"],
                "title": row["title"] or row["outlet"],
                "xmlUrl": row["url"],
                "htmlUrl": row["homepage"],
                "outlet": row["outlet"],
                "country": row["country"],
                "language": row["language"],
            }
            ET.SubElement(folder, "outline", {name: _xml(value) for name, value in attributes.items() if value})
    return _document(root)


def atom(stories: Sequence[Row], *, title: str, identity: str, updated: str) -> str:
    """Stories as an Atom feed (RFC 4287), an entry a story, which changes when the story grows.

    A story is a row of `stories` with `items`, its timeline. `identity` tells this database from others; `updated` is
    the feed's time when there is no story.
    """
    root = ET.Element("feed", xmlns=_ATOM)
    _text(root, "title", title)
    _text(root, "id", _urn(identity, "feed"))
    _text(root, "updated", max((story["updated_at"] for story in stories), default=updated))
    _text(ET.SubElement(root, "author"), "name", "aggregator")
    _text(root, "generator", "aggregator")
    for story in stories:
        entry = ET.SubElement(root, "entry")
        _text(entry, "title", _headline(story))
        _text(entry, "id", _urn(identity, story["story_id"]))
        _text(entry, "published", story["first_item_at"])
        _text(entry, "updated", story["updated_at"])
        if _is_web(story["link"]):
            ET.SubElement(entry, "link", rel="alternate", href=_xml(story["link"]))
        for outlet in dict.fromkeys(item["outlet"] for item in story["items"]):
            _text(ET.SubElement(entry, "author"), "name", outlet)
        for tag in _tags(story):
            ET.SubElement(entry, "category", term=tag)
        _text(entry, "summary", _summary(story))
        _text(entry, "content", _html(story)).set("type", "html")
    return _document(root)


def json_feed(stories: Sequence[Row], *, title: str, identity: str) -> str:
    """Stories as a JSON Feed 1.1 (jsonfeed.org); `_aggregator` holds what the format has no place for. See `atom`."""
    items = [
        {
            "id": _urn(identity, story["story_id"]),
            **({"url": story["link"]} if _is_web(story["link"]) else {}),
            "title": _headline(story),
            "summary": _summary(story),
            "content_html": _html(story),
            "date_published": story["first_item_at"],
            "date_modified": story["updated_at"],
            "language": story["reader_language"] if _translated(story) else story["language"],
            "authors": [{"name": outlet} for outlet in dict.fromkeys(item["outlet"] for item in story["items"])],
            "tags": _tags(story),
            "_aggregator": {
                name: story[name]
                for name in ("story_id", "countries", "languages", "item_count", "outlet_count", "reader_origin")
            },
        }
        for story in stories
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": title, "items": items}
    return json.dumps(feed, ensure_ascii=False, indent=1) + "\n"


def _headline(story: Row) -> str:
    return f"{story['flags']} {story['reader_title'] or story['title']}".strip()


def _translated(story: Row) -> bool:
    """Whether its title is shown in other words than its lead item's."""
    return bool(story["reader_title"]) and story["reader_title"] != story["title"]


def _summary(story: Row) -> str:
    counted = (("item_count", "item"), ("outlet_count", "outlet"), ("country_count", "country"))
    plural = {"item": "items", "outlet": "outlets", "country": "countries"}
    counts = ", ".join(f"{story[n]} {word if story[n] == 1 else plural[word]}" for n, word in counted)
    machine = " (machine translation)" if _translated(story) and story["reader_origin"] == "machine" else ""
    return f"{counts}. {story['reader_summary'] or story['sentence'] or ''}".strip() + machine


def _html(story: Row) -> str:
    """The story's items as a list, every text escaped, each title in its own direction."""
    return "<ol>" + "".join(map(_line, story["items"])) + "</ol>"


def _line(item: Row) -> str:
    title = f'<bdi lang="{escape(item["language"])}">{escape(item["title"])}</bdi>'
    if _is_web(item["link"]):
        title = f'<a href="{escape(item["link"])}">{title}</a>'
    reprint = " (reprint)" if item["reprint"] else ""
    return f"<li>{item['label']} {item['flag']} {escape(item['outlet'])}: {title}{reprint}</li>"


def _is_web(link: str | None) -> bool:
    """Whether a reader may click on it: a feed can name any scheme."""
    return bool(link) and str(link).startswith(("http://", "https://"))


def _tags(story: Row) -> list[str]:
    return [*story["countries"].split(), *story["languages"].split()]


def _urn(identity: str, name: object) -> str:
    """An id that stays, and that no other database has."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"aggregator:{identity}:{name}").urn


def _text(parent: ET.Element, tag: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = _xml(text)
    return element


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)


def _document(root: ET.Element) -> str:
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
