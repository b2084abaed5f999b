"""What every command has: the configuration, and the way to the database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from aggregator.config import Config, find_config, load_config
from aggregator.service.clock import utcnow
from aggregator.store.reader import Reader, open_reader
from aggregator.store.writer import Writer, open_writer

__all__ = ["App", "Duration", "pass_app"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class App:
    """The options given before the command. The configuration is read when a command first asks for it."""

    config_option: str | None = None
    database_option: str | None = None

    @cached_property
    def config_path(self) -> Path | None:
        """The configuration file in use; None when there is none. Raises ConfigError."""
        return find_config(self.config_option)

    @cached_property
    def config(self) -> Config:
        """The configuration, or the defaults when there is no file. Raises ConfigError."""
        config = load_config(self.config_path) if self.config_path else Config()
        return self.with_options(config)

    def with_options(self, config: Config) -> Config:
        """`config` with what the command line overrides."""
        if not self.database_option:
            return config
        database = msgspec.structs.replace(config.database, path=self.database_option)
        return msgspec.structs.replace(config, database=database)

    @property
    def database(self) -> Path:
        """The database's path."""
        return self.config.database_path()

    def reader(self) -> Reader:
        """The database, open for reading. Raises StoreError."""
        return open_reader(self.database)

    def writer(self) -> Writer:
        """The database, open for a short change beside a daemon that runs. Raises StoreError."""
        return self._writer(daemon=False)

    def daemon_writer(self) -> Writer:
        """The database, open as its one daemon. Raises StoreError, StoreLockedError when another one runs."""
        return self._writer(daemon=True)

    def _writer(self, *, daemon: bool) -> Writer:
        return open_writer(
            self.database,
            synchronous=self.config.database.synchronous,
            reader_language=self.config.reader.language,
            now=utcnow(),
            daemon=daemon,
        )


pass_app = click.make_pass_decorator(App)

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Duration(click.ParamType[timedelta]):
    """A span of time such as 90m, 24h, 7d or 2w."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Turn the text into a timedelta."""
        if isinstance(value, timedelta):
            return value
        number, unit = value[:-1], value[-1:]
        if unit not in _UNITS or not number.isdigit() or len(number) > 5:  # noqa: PLR2004 - more is no span of news
            self.fail(f"{value!r} is no span of time; write it like 90m, 24h, 7d or 2w", param, ctx)
        return timedelta(**{_UNITS[unit]: int(number)})
