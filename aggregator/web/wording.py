"""How the pages show numbers, times and texts: pure functions, nothing of HTML but what a chart needs to be drawn."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aggregator.cleaning import plain_line
from aggregator.models import parse_iso

__all__ = [
    "MARKS",
    "Bars",
    "Headline",
    "ago",
    "headline",
    "made",
    "paragraphs",
    "pieces",
    "span",
    "timeline_bars",
    "web_link",
]

Row = dict[str, Any]

MARKS = ("\x02", "\x03")  # what stands around a word that was found: characters that no stored text holds

_STEPS_MIN = (5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200)
_MOST_BARS = 48
_MADE = {"machine": "machine translation", "outlet": "translated by the outlet", "person": "translated by a person",
         "extractive": "as another outlet puts it"}  # fmt: skip


# --- charts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart of items over time: how many in each slot of `step`, the first slot at `since`."""

    since: datetime
    step: timedelta
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """All items."""
        return sum(self.counts)

    @property
    def peak(self) -> int:
        """The most items in one slot."""
        return max(self.counts, default=0)

    @property
    def slot(self) -> str:
        """What a slot is called: "hour", "15 min"."""
        words = span(self.step)
        return {"1 h": "hour", "1 d": "day"}.get(words, words)

    def drawn(self, height: int, scale: int = 0) -> list[tuple[int, float]]:
        """(height, distance from the top) of each bar in a chart `height` units high; an empty slot has height 0.

        The highest bar stands for `scale` items or the peak, whichever is more.
        """
        most = max(self.peak, scale, 1)
        heights = [max(2, round(height * count / most)) if count else 0 for count in self.counts]
        return [(tall, height - tall) for tall in heights]


def timeline_bars(at: Sequence[datetime]) -> Bars | None:
    """The chart of a story's items, in at most 48 slots of a round length; None when one slot would hold them all."""
    if not at:
        return None
    first, last = min(at), max(at)
    for minutes in _STEPS_MIN:
        step = timedelta(minutes=minutes)
        if (last - first) / step < _MOST_BARS:
            break
    else:
        step = (last - first) / (_MOST_BARS - 1)
    counts = Counter((moment - first) // step for moment in at)
    slots = (last - first) // step + 1
    return Bars(first, step, tuple(counts[n] for n in range(slots))) if slots > 1 else None


# --- times ---------------------------------------------------------------------------------------------------------


def span(length: timedelta) -> str:
    """A length of time in at most two units: "0 min", "45 min", "5 h 20 min", "3 d 4 h"."""
    minutes = int(length.total_seconds() // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"


def ago(at: str | None, now: datetime) -> str:
    """How long before or after `now` an instant is: "5 min ago", "in 2 h", "now"; "never" for None."""
    if at is None:
        return "never"
    length = now - parse_iso(at)
    if abs(length) < timedelta(minutes=1):
        return "now"
    words = " ".join(span(abs(length)).split()[:2])  # one unit is enough to tell it is late
    return f"{words} ago" if length > timedelta(0) else f"in {words}"


# --- texts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Headline:
    """A title as a list shows it: in the reader's language when there is one, the original under it.

    `made` says what made the reader's title; "" when it is the outlet's own. `original` is "" when that is shown.
    """

    text: str
    language: str
    original: str = ""
    original_language: str = ""
    made: str = ""


def headline(row: Row, reader_language: str, origin: str | None) -> Headline:
    """The title of an item or story: `row` has title, reader_title and language; `origin` is of the reader's title."""
    title, reader = plain_line(row["title"]), plain_line(row["reader_title"] or "")
    if not reader or reader == title:
        return Headline(title, row["language"])
    return Headline(reader, reader_language, title, row["language"], made(origin))


def made(origin: str | None) -> str:
    """In words, what made a text that is not the outlet's own; an origin not known is a machine's until proven."""
    return _MADE.get(origin or "machine", "machine translation")


def paragraphs(text: str | None) -> list[str]:
    """The paragraphs of a stored text."""
    return [part.strip() for part in re.split(r"\n\s*\n", text or "") if part.strip()]


def web_link(url: str) -> str:
    """`url` when a browser may follow it; "" for schemes other than http and https, such as javascript:."""
    return url if url.lower().startswith(("http://", "https://")) else ""


def pieces(snippet: str) -> Iterable[tuple[str, bool]]:
    """A snippet of a search as (text, whether it is what was sought)."""
    for n, part in enumerate(re.split(f"[{''.join(MARKS)}]", snippet.replace("\n", " "))):
        if part:
            yield part, n % 2 == 1
