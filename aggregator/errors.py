"""Errors that a person can act on, in one tree.

    AggregatorError               exit status 1; the message says what, where and what to do
    ├── ConfigError               2: a configuration or feed file is wrong: file, table, key, what is allowed
    ├── UsageError                2: the command cannot be carried out as asked
    ├── NotFoundError             3: no such item, story or feed
    ├── StoreError                4: the database file cannot be used
    │   ├── StoreTooNewError      4: written by a newer version of this program
    │   ├── StoreLockedError      5: another daemon is using it
    │   └── StoreDamagedError     6: the file is damaged; names the newest good backup when there is one
    └── EmbedderError             1: the embedder cannot be loaded or called

Expected failures of the work itself (a feed that times out, bytes that are no feed) are values, not exceptions: see
`models.Failed` and `models.ParseFailed`.
"""

__all__ = [
    "AggregatorError",
    "ConfigError",
    "EmbedderError",
    "NotFoundError",
    "StoreDamagedError",
    "StoreError",
    "StoreLockedError",
    "StoreTooNewError",
    "UsageError",
]


class AggregatorError(Exception):
    """Root of every error this program raises on purpose; `exit_code` is the process's exit status."""

    exit_code = 1


class ConfigError(AggregatorError):
    """A configuration or feed file is wrong."""

    exit_code = 2


class UsageError(AggregatorError):
    """The command cannot be carried out as asked."""

    exit_code = 2


class NotFoundError(AggregatorError):
    """There is no such item, story or feed."""

    exit_code = 3


class StoreError(AggregatorError):
    """The database file cannot be used."""

    exit_code = 4


class StoreTooNewError(StoreError):
    """The database was written by a newer version of this program; it is left untouched."""


class StoreLockedError(StoreError):
    """Another daemon is using the database."""

    exit_code = 5


class StoreDamagedError(StoreError):
    """The database file is damaged."""

    exit_code = 6


class EmbedderError(AggregatorError):
    """The embedder cannot be loaded or called; stories go on without it."""
