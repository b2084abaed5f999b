"""What a parser found, before anything is cleaned: the one form that every dialect and both parsers end in."""

from dataclasses import dataclass

__all__ = ["RawEntry", "RawFeed"]


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One entry as its feed wrote it. Texts may be HTML; addresses may be relative to `base`. "" stands for absent.

    `link` is the address of the article itself, `original` another that the entry names for it (feedburner:origLink), `origin`
    the source that it was taken from. `body` is the longest content. `dates` are raw, the best first.
    """

    guid: str = ""
    link: str = ""
    original: str = ""
    title: str = ""
    summary: str = ""
    body: str = ""
    dates: tuple[str, ...] = ()
    author: str = ""
    tags: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    language: str = ""
    base: str = ""


@dataclass(frozen=True, slots=True)
class RawFeed:
    """A feed's own facts, as written. `entries` are in document order."""

    title: str = ""
    homepage: str = ""
    language: str = ""
    ttl: str = ""
    update_period: str = ""
    update_frequency: str = ""
    skip_hours: tuple[str, ...] = ()
    skip_days: tuple[str, ...] = ()
    hub: str = ""
    entries: tuple[RawEntry, ...] = ()
