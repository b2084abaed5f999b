"""The sample outlets and what they tell, read from `data/*.toml`; the keys are described in `data/README.md`."""

import tomllib
import zlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

__all__ = ["Revision", "SampleItem", "SampleOutlet", "gold", "load_outlets"]


@dataclass(frozen=True, slots=True)
class Revision:
    """What an item says from `appears_min` minutes after the start on; changed `ago_min` minutes before now."""

    ago_min: int
    appears_min: int
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class SampleItem:
    """One article.

    `ref` is "outlet/item"; `event` the label of the story it belongs to, unique for an item that stands alone.
    `appears_min`: minutes after the start when the feed begins to show it. `body` divides paragraphs by an empty line.
    """

    ref: str
    event: str
    ago_min: int
    title: str
    summary: str
    link: str
    number: int
    body: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    appears_min: int = 0
    reprint_of: str = ""
    revised: Revision | None = None


@dataclass(frozen=True, slots=True)
class SampleOutlet:
    """One outlet with its one feed, and the habits of whoever made that feed."""

    slug: str
    outlet: str
    country: str
    language: str
    region: str
    timezone: str
    site: str
    format: Literal["rss2", "atom", "rdf", "json"]
    encoding: str
    dates: Literal["gmt", "offset", "zone", "iso-z", "iso-offset"]
    utc_offset_min: int
    summaries: Literal["plain", "cdata", "escaped"]
    guids: Literal["permalink", "number", "tag", "none"]
    validators: Literal["etag", "weak-etag", "date", "both"]
    items: tuple[SampleItem, ...]
    zone: str = ""


@cache
def load_outlets() -> tuple[SampleOutlet, ...]:
    """All sample outlets, in the order of their slugs."""
    folder = resources.files("aggregator.demo") / "data"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return tuple(_outlet(f.name.removesuffix(".toml"), tomllib.loads(f.read_text(encoding="utf-8"))) for f in files)


def gold() -> dict[str, str]:
    """Link as the feed has it (`Item.url`) → event label, for all items, also those that appear later."""
    return {item.link: item.event for outlet in load_outlets() for item in outlet.items}


def _outlet(slug: str, head: dict[str, Any]) -> SampleOutlet:
    pattern = head.pop("link")
    items = tuple(_item(slug, head["site"] + pattern, raw) for raw in head.pop("item"))
    return SampleOutlet(slug=slug, items=items, **head)


def _item(slug: str, pattern: str, raw: dict[str, Any]) -> SampleItem:
    name = raw.pop("id")
    ref = f"{slug}/{name}"
    number = 100_000 + zlib.crc32(ref.encode()) % 900_000
    later = raw.pop("revised", None)
    return SampleItem(
        ref=ref,
        event=raw.pop("event", ref),
        ago_min=raw.pop("ago"),
        link=pattern.format(id=name, number=number),
        number=number,
        body=raw.pop("body", "").strip(),
        tags=tuple(raw.pop("tags", ())),
        appears_min=raw.pop("appears", 0),
        revised=later and Revision(later["ago"], later["appears"], later["title"], later["summary"]),
        **raw,
    )
