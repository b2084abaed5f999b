"""The catalogue's files: TOML → feeds, and feeds → TOML."""

import glob
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from aggregator.config import Config
from aggregator.errors import ConfigError
from aggregator.models import FeedSpec
from aggregator.toml import FeedAddress, MaybeCountryCode, MaybeLanguageTag, Table, convert, read_toml

__all__ = ["check_feed", "load_feeds", "toml_of_feeds"]


class _Feed(Table, frozen=True):
    url: FeedAddress
    outlet: Annotated[str, Meta(min_length=1)]
    country: MaybeCountryCode = ""
    language: MaybeLanguageTag = ""
    region: str = ""
    timezone: str = ""
    homepage: str = ""
    enabled: bool = True
    fulltext: bool = False
    verified: bool = False


class _FeedFile(Table, frozen=True):
    feed: tuple[dict[str, Any], ...] = ()


def load_feeds(config: Config) -> list[FeedSpec]:
    """The catalogue: every file that `feeds` names, relative to the configuration file. Raises ConfigError.

    The same URL twice is an error that names both places, and so is a file that does not exist; a pattern with a * that
    matches no file is not.
    """
    base = Path(config.source).parent if config.source else Path()
    seen: dict[str, str] = {}
    specs: list[FeedSpec] = []
    for pattern in config.feeds:
        below = str(Path(glob.escape(str(base)), pattern))
        found = sorted(map(Path, glob.glob(below, recursive=True)))  # noqa: PTH207 - Path.glob refuses a whole path
        if not found and not any(sign in pattern for sign in "*?["):
            raise ConfigError(f"{config.source}: feeds: {pattern}: no such file")
        for path in found:
            for number, raw in enumerate(convert(path, read_toml(path), _FeedFile).feed, 1):
                where = f"{path}: [[feed]] number {number}"
                feed = _checked(where, raw)
                if feed.url in seen:
                    raise ConfigError(f"{where}: url: {feed.url} is already in {seen[feed.url]}")
                seen[feed.url] = where
                specs.append(FeedSpec(**msgspec.structs.asdict(feed)))
    return specs


def check_feed(spec: FeedSpec) -> None:
    """Hold a feed from elsewhere to the rules of the catalogue. Raises ConfigError."""
    _checked(spec.url, {name: getattr(spec, name) for name in _Feed.__struct_fields__})


def toml_of_feeds(specs: Iterable[FeedSpec]) -> str:
    """A catalogue file that holds these feeds; what has its default is left out."""
    tables = []
    for spec in specs:
        values = {f.name: getattr(spec, f.name) for f in fields(spec) if getattr(spec, f.name) != f.default}
        # A JSON string without escaped non-ASCII is a TOML basic string too; so are true and false.
        lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
        tables.append("\n".join(("[[feed]]", *lines)) + "\n")
    return "\n".join(tables)


def _checked(where: str, raw: Mapping[str, Any]) -> _Feed:
    feed = convert(where, raw, _Feed)
    if not _names_a_host(feed.url):
        raise ConfigError(f"{where}: url: {feed.url!r} names no host, or a port that there is not")
    if feed.timezone and not _is_zone(feed.timezone) and _is_zone("Europe/Riga"):
        raise ConfigError(f"{where}: timezone: {feed.timezone!r} is no IANA name such as America/Chicago")
    return feed


def _names_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and not re.search(r"\s", url) and parts.port != 0
    except ValueError:
        return False


def _is_zone(name: str) -> bool:
    """Whether this machine knows the zone; one without a database of zones knows none."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return False
    return True
