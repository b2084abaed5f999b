"""How often a feed brings something new, and how often to ask it then. Pure; all spans in seconds."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

__all__ = ["backoff_s", "first_cadence_s", "interval_s", "next_cadence_s", "span"]

_WEIGHT: Final = 0.1  # of one new item in the mean gap: the last twenty items or so decide
_SILENT: Final = 4  # a silence of that many times the usual gap begins to count
_DORMANT: Final = 24  # a silent feed is asked that many times while its silence doubles, and a bit
_WINDOW_SHARE: Final = 4  # a feed's list is seen that many times before new items could have pushed all out of it
_LONGEST: Final = 30 * 86_400
_DAY: Final = 86_400
_DOUBLINGS: Final = 32  # enough for every cap


def first_cadence_s(published: Sequence[datetime]) -> int | None:
    """The typical gap between the items of a first body, from their own dates; None when fewer than three are dated."""
    if len(published) < 3:  # noqa: PLR2004 - two dates make one gap, which says nothing
        return None
    ordered = sorted(published)
    span = (ordered[-1] - ordered[0]).total_seconds()
    return max(1, min(round(span / (len(ordered) - 1)), _LONGEST))


def next_cadence_s(cadence: int | None, since_new_s: float, new: int, *, lossy: bool) -> int | None:
    """The mean gap between new items after a poll that brought `new` of them, `since_new_s` after the last that did.

    An exponentially weighted mean with one weight an item. Where items were missed there were more than `new`: the gap
    was shorter than it looks, so such a poll never lengthens the mean.
    """
    if new <= 0:
        return cadence
    gap = max(since_new_s, 1.0) / new
    if lossy:
        gap /= 2
    if cadence is None:
        return max(1, min(round(gap), _LONGEST))
    if lossy:
        return max(1, round(min(gap, cadence)))
    weight = 1 - (1 - _WEIGHT) ** new
    return max(1, min(round(cadence + weight * (gap - cadence)), _LONGEST))


def interval_s(cadence: int | None, silent_s: float, entries: int, *, floor: int, ceiling: int, unknown: int) -> int:
    """Seconds between polls of a feed that brings an item every `cadence` seconds and has brought none for `silent_s`.

    The geometric mean of `floor` and the gap. For a given number of requests a day, the sum over all feeds of (new items
    x delay) is smallest when intervals go with the square root of the gap: twice as many items deserve 1.4 times as many
    polls (the square-root rule of broadcast scheduling, Ammar and Wong 1985; of crawling, Cho and Garcia-Molina 2003).
    Never so long that `entries`, the length of the feed's list, could all be replaced meanwhile.

    `unknown` is the interval while the cadence is not known.
    """
    if cadence is None:
        want = max(float(unknown), silent_s / _DORMANT)
    else:
        gap = max(cadence, silent_s / _SILENT)
        want = max(math.sqrt(floor * gap), silent_s / _DORMANT)
        if entries:
            want = min(want, max(entries * gap / _WINDOW_SHARE, floor))
    return round(min(max(want, floor), ceiling))


def backoff_s(interval: int, doublings: int, cap: int) -> int:
    """`interval` doubled `doublings` times, up to `cap`; never below `interval`."""
    return max(interval, min(interval << min(max(doublings, 0), _DOUBLINGS), cap))


def span(seconds: float) -> str:
    """A span of time for a person to read: the largest unit that says it in a few digits."""
    for size, unit in ((_DAY, "day"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            number = f"{seconds / size:.1f}".removesuffix(".0")
            return f"{number} {unit}" + ("s" if unit == "day" and number != "1" else "")
    return f"{seconds:.0f} s"
