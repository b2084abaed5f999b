"""An outlet's items as the bytes of its feed: RSS 2.0, Atom 1.0 (RFC 4287), RSS 1.0 (RDF) or JSON Feed 1.1.

Pure: the same outlet, instant and minutes give the same bytes. Characters that the outlet's encoding lacks are written as
numeric references, as publishing systems do.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from html import escape

from aggregator.demo.samples import SampleItem, SampleOutlet
from aggregator.models import iso

__all__ = ["FILE_NAMES", "Rendered", "render"]

FILE_NAMES = {"rss2": "rss.xml", "atom": "atom.xml", "rdf": "index.rdf", "json": "feed.json"}

_TYPES = {
    "rss2": "application/rss+xml",
    "atom": "application/atom+xml",
    "rdf": "application/rdf+xml",
    "json": "application/feed+json",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A feed's bytes, its Content-Type, and when it last changed."""

    body: bytes
    content_type: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class _Entry:
    """An item as it stands in the feed at one instant."""

    item: SampleItem
    published: datetime
    updated: datetime


def render(outlet: SampleOutlet, now: datetime, after_min: int = 0, self_url: str = "") -> Rendered:
    """The outlet's feed, newest item first, `after_min` minutes after `now`; `now` is what the items' ages count from.

    No date in it lies after `now`. `self_url` is where the feed is served, for the formats that name it.
    """
    entries = _entries(outlet, now.astimezone(UTC).replace(microsecond=0), after_min)
    modified = max(entry.updated for entry in entries)
    content_type = _TYPES[outlet.format]
    if outlet.format == "json":
        return Rendered(_json_feed(outlet, entries, self_url), content_type, modified)
    document = {"rss2": _rss, "atom": _atom, "rdf": _rdf}[outlet.format](outlet, entries, self_url)
    text = f'<?xml version="1.0" encoding="{outlet.encoding}"?>\n{document}\n'
    if outlet.encoding == "utf-8":
        content_type += "; charset=utf-8"  # the others leave it to the XML declaration
    return Rendered(text.encode(outlet.encoding, "xmlcharrefreplace"), content_type, modified)


def _entries(outlet: SampleOutlet, now: datetime, after_min: int) -> list[_Entry]:
    entries = []
    for item in outlet.items:
        if item.appears_min > after_min:
            continue
        published = updated = now - timedelta(minutes=item.ago_min)
        shown, later = item, item.revised
        if later and later.appears_min <= after_min:
            updated = now - timedelta(minutes=later.ago_min)
            shown = replace(item, title=later.title, summary=later.summary)
        entries.append(_Entry(shown, published, updated))
    return sorted(entries, key=lambda entry: (entry.published, entry.item.ref), reverse=True)


def _date(outlet: SampleOutlet, at: datetime) -> str:
    local = at.astimezone(timezone(timedelta(minutes=outlet.utc_offset_min)))
    match outlet.dates:
        case "gmt":
            return format_datetime(at, usegmt=True)
        case "offset":
            return format_datetime(local)
        case "zone":
            return f"{format_datetime(local)[:-5]}{outlet.zone}"
        case "iso-z":
            return iso(at)
        case "iso-offset":
            return local.isoformat(timespec="seconds")


def _guid(outlet: SampleOutlet, item: SampleItem) -> str:
    match outlet.guids:
        case "permalink":
            return item.link
        case "number":
            return str(item.number)
        case "tag":
            host = outlet.site.partition("://")[2]
            return f"tag:{host},2020:{item.ref.partition('/')[2]}"
        case "none":
            return ""


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part, quote=False)}</p>" for part in text.split("\n\n"))


def _summary(outlet: SampleOutlet, item: SampleItem) -> str:
    """The summary as XML character data, in the outlet's manner."""
    match outlet.summaries:
        case "plain":
            return escape(item.summary)
        case "escaped":
            return escape(_paragraphs(item.summary))
        case "cdata":
            return f"<![CDATA[{_paragraphs(item.summary)}]]>"


def _rss(outlet: SampleOutlet, entries: list[_Entry], self_url: str) -> str:
    lines = [
        (
            '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
            ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom">'
        ),
        "<channel>",
        f"<title>{escape(outlet.outlet)}</title>",
        f"<link>{escape(outlet.site)}</link>",
        f"<description>{escape(outlet.outlet)}</description>",
        f"<language>{outlet.language}</language>",
        f'<atom:link href="{escape(self_url)}" rel="self" type="application/rss+xml"/>' if self_url else "",
    ]
    for entry in entries:
        item = entry.item
        guid = _guid(outlet, item)
        permalink = "" if outlet.guids == "permalink" else ' isPermaLink="false"'
        lines += [
            "<item>",
            f"<title>{escape(item.title)}</title>",
            f"<link>{escape(item.link)}</link>",
            f"<guid{permalink}>{escape(guid)}</guid>" if guid else "",
            f"<pubDate>{_date(outlet, entry.published)}</pubDate>",
            f"<dc:creator>{escape(item.author)}</dc:creator>" if item.author else "",
            *(f"<category>{escape(tag)}</category>" for tag in item.tags),
            f"<description>{_summary(outlet, item)}</description>",
            f"<content:encoded><![CDATA[{_paragraphs(item.body)}]]></content:encoded>" if item.body else "",
            "</item>",
        ]
    return "\n".join(line for line in [*lines, "</channel>", "</rss>"] if line)


def _atom(outlet: SampleOutlet, entries: list[_Entry], self_url: str) -> str:
    kind = "text" if outlet.summaries == "plain" else "html"
    lines = [
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{outlet.language}">',
        f"<title>{escape(outlet.outlet)}</title>",
        f"<id>{escape(outlet.site)}/</id>",
        f'<link rel="alternate" href="{escape(outlet.site)}"/>',
        f'<link rel="self" href="{escape(self_url)}"/>' if self_url else "",
        f"<updated>{_date(outlet, max(entry.updated for entry in entries))}</updated>",
        f"<author><name>{escape(outlet.outlet)}</name></author>",
    ]
    for entry in entries:
        item = entry.item
        lines += [
            "<entry>",
            f"<title>{escape(item.title)}</title>",
            f'<link rel="alternate" type="text/html" href="{escape(item.link)}"/>',
            f"<id>{escape(_guid(outlet, item) or item.link)}</id>",
            f"<published>{_date(outlet, entry.published)}</published>",
            f"<updated>{_date(outlet, entry.updated)}</updated>",
            f"<author><name>{escape(item.author)}</name></author>" if item.author else "",
            *(f'<category term="{escape(tag)}"/>' for tag in item.tags),
            f'<summary type="{kind}">{_summary(outlet, item)}</summary>',
            f'<content type="html">{escape(_paragraphs(item.body))}</content>' if item.body else "",
            "</entry>",
        ]
    return "\n".join(line for line in [*lines, "</feed>"] if line)


def _rdf(outlet: SampleOutlet, entries: list[_Entry], self_url: str) -> str:
    lines = [
        (
            '<rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
            ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/">'
        ),
        f'<channel rdf:about="{escape(self_url or outlet.site)}">',
        f"<title>{escape(outlet.outlet)}</title>",
        f"<link>{escape(outlet.site)}</link>",
        f"<description>{escape(outlet.outlet)}</description>",
        f"<dc:language>{outlet.language}</dc:language>",
        "<items><rdf:Seq>",
        *(f'<rdf:li rdf:resource="{escape(entry.item.link)}"/>' for entry in entries),
        "</rdf:Seq></items>",
        "</channel>",
    ]
    for entry in entries:
        item = entry.item
        lines += [
            f'<item rdf:about="{escape(item.link)}">',
            f"<title>{escape(item.title)}</title>",
            f"<link>{escape(item.link)}</link>",
            f"<description>{_summary(outlet, item)}</description>",
            f"<dc:date>{_date(outlet, entry.published)}</dc:date>",
            f"<dc:creator>{escape(item.author)}</dc:creator>" if item.author else "",
            *(f"<dc:subject>{escape(tag)}</dc:subject>" for tag in item.tags),
            f"<content:encoded><![CDATA[{_paragraphs(item.body)}]]></content:encoded>" if item.body else "",
            "</item>",
        ]
    return "\n".join(line for line in [*lines, "</rdf:RDF>"] if line)


def _json_feed(outlet: SampleOutlet, entries: list[_Entry], self_url: str) -> bytes:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": outlet.outlet,
        "home_page_url": outlet.site,
        "feed_url": self_url,
        "language": outlet.language,
        "items": [_json_item(outlet, entry) for entry in entries],
    }
    return json.dumps(feed, ensure_ascii=False, indent=1).encode()


def _json_item(outlet: SampleOutlet, entry: _Entry) -> dict[str, object]:
    item = entry.item
    fields: dict[str, object] = {
        "id": _guid(outlet, item) or item.link,
        "url": item.link,
        "title": item.title,
        "summary": item.summary,
        "date_published": _date(outlet, entry.published),
        "date_modified": _date(outlet, entry.updated),
        "authors": [{"name": item.author}] if item.author else [],
        "tags": list(item.tags),
    }
    if item.body:
        fields["content_html"] = _paragraphs(item.body)
    else:
        fields["content_text"] = item.summary
    return fields
