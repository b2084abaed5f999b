"""What a feed says of itself, made plain: names, language, and how often it wants to be asked."""

import re
from dataclasses import dataclass
from typing import Final

from aggregator.parsing import text
from aggregator.parsing.language import primary
from aggregator.parsing.raw import RawFeed
from aggregator.parsing.urls import absolute

__all__ = ["Facts", "facts"]

_PERIODS: Final = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBER: Final = re.compile(r"^\s*\+?(\d{1,6})(?:\.\d*)?\s*$")
_MAX: Final = 500  # characters


@dataclass(frozen=True, slots=True)
class Facts:
    """The head of a ParsedFeed; see there."""

    title: str
    homepage: str
    language: str
    ttl_s: int | None
    update_period_s: int | None
    skip_hours: frozenset[int]
    skip_days: frozenset[int]
    hub: str


def _number(raw: str) -> int | None:
    found = _NUMBER.match(raw)
    return int(found[1]) if found else None


def facts(raw: RawFeed, url: str) -> Facts:
    """The facts of `raw`, which came from `url`. What makes no sense is left out."""
    ttl = _number(raw.ttl)
    period = _PERIODS.get(raw.update_period.strip().lower())
    hours = (_number(hour) for hour in raw.skip_hours)
    days = (day.strip().lower() for day in raw.skip_days)
    return Facts(
        title=text.cut(text.to_line(text.bounded(raw.title, 4 * _MAX)), _MAX),
        homepage=absolute(raw.homepage, url),
        language=primary(raw.language),
        ttl_s=ttl * 60 if ttl else None,
        update_period_s=period // (_number(raw.update_frequency) or 1) if period else None,
        # RSS 0.91 counts hours 1-24, RSS 2.0 0-23: 24 is midnight.
        skip_hours=frozenset(hour % 24 for hour in hours if hour is not None and hour <= 24),  # noqa: PLR2004
        skip_days=frozenset(_DAYS.index(day) for day in days if day in _DAYS),
        hub=absolute(raw.hub, url),
    )
