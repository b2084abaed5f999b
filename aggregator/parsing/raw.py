"""What a parser found, before anything is cleaned: the one form that every dialect and both parsers end in."""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["MAX_IMAGES", "RawEntry", "RawFeed", "is_image"]

MAX_IMAGES: Final = 5  # of an entry; the first that can be used is taken
_IMAGE: Final = re.compile(r"\.(?:jpe?g|png|gif|webp|avif)(?:[?#]|$)", re.IGNORECASE)


def is_image(url: str) -> bool:
    """Whether an address ends as an image's does."""
    return bool(_IMAGE.search(url[-500:]))


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
