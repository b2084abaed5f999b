"""Templates: titles that an outlet prints day after day with other figures, known from its own live items.

The frame of a title is its words, with numbers, days of a month and weekdays masked. What moves inside the frame tells a template from
follow-ups of one event. A date moves on as the days do ("Weather on Tuesday, 8 December"; also "Day 12", and calendars that nobody taught
us); a rate goes up and down; the toll of an accident only grows. So no list of words is needed, and nothing is stored but
hashes and figures. All answers are a function of the live items.
"""

import hashlib
import struct
from bisect import bisect_left, insort
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from aggregator.stories.numbers import slots_in

__all__ = ["APART_H", "Frames", "frame_of", "same_frame"]

LEAST_LETTERS: Final = 8  # of the words of a frame; fewer are a rubric ("Live: …") or chance
APART_H: Final = 16.0  # two issues of a daily template lie further apart than this; follow-ups within a day hardly do
MONTHS: Final = (28, 29, 30, 31)
WEEK: Final = 7
MOVED_TWICE: Final = 2  # issues that an undated number must have moved on with, to be a date; a toll may do so once
ISSUES: Final = 3  # issues from which a number that goes up and down is a rate, and a part of a title is a frame
MOST_LOOKED_AT: Final = 64  # issues of a frame, the latest
_KEYS: Final = struct.Struct("<QQQ")
_SLOT: Final = struct.Struct("<cf")
_KINDS: Final = {"#": b"#", "day": b"d", "week": b"w"}

WHOLE: Final = 0  # the first of the three keys

Entry = tuple[float, int, bytes]  # hours since the epoch, item id, frame


def frame_of(title: str, language: str, outlet_id: int) -> bytes:
    """The frame of a title in one outlet, packed: three keys (whole title, its beginning, its end; 0 is none) and the slots.

    Empty for a title without a figure or date, as most are.
    """
    parts = slots_in(title, language)
    places = [at for at, part in enumerate(parts) if not isinstance(part, str)]
    if not places:
        return b""
    begin, end = places[0], places[-1]
    keys = (
        _key(parts, outlet_id),
        _key(parts[: begin + 1], outlet_id) if begin + 1 < len(parts) else 0,
        _key(parts[end:], outlet_id) if end else 0,
    )
    if not any(keys):
        return b""
    slots = b"".join(_SLOT.pack(_KINDS[part[0]], part[1]) for part in parts if not isinstance(part, str))
    return _KEYS.pack(*keys) + slots


def _key(parts: list[str | tuple[str, float]], outlet_id: int) -> int:
    words = [part if isinstance(part, str) else part[0] for part in parts]
    if sum(len(part) for part in parts if isinstance(part, str)) < LEAST_LETTERS:
        return 0
    digest = hashlib.blake2b(f"{outlet_id} {' '.join(words)}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def same_frame(one: bytes, other: bytes) -> bool:
    """Whether two titles are of one outlet and differ in figures alone: not in words, days of a month or weekdays."""
    if one[:8] != other[:8] or not any(one[:8]):
        return False
    pairs = zip(_slots(one, WHOLE), _slots(other, WHOLE), strict=True)
    return all(mine == theirs or mine[0] == b"#" for mine, theirs in pairs)


class Frames:
    """The frames of the live items, and which of them are templates."""

    def __init__(self) -> None:
        self._issues: dict[int, Entry | list[Entry]] = {}  # by key; most have one, which needs no list
        self._templates: set[int] = set()

    def add(self, item_id: int, hours: float, packed: bytes) -> list[int]:
        """Take an item in; the items that are known as templates since."""
        learned: set[int] = set()
        entry = (hours, item_id, packed)
        for part, key in _keys(packed):
            issues = self._issues.setdefault(key, entry)
            if issues is entry:
                continue
            if isinstance(issues, tuple):
                issues = self._issues[key] = [issues]
            insort(issues, entry)
            if self._judge(part, key, issues):
                learned.update(issue[1] for issue in issues)
        return sorted(learned)

    def remove(self, item_id: int, hours: float, packed: bytes) -> None:
        """Undo `add`."""
        entry = (hours, item_id, packed)
        for part, key in _keys(packed):
            issues = self._issues.pop(key)
            if isinstance(issues, list):
                del issues[bisect_left(issues, entry)]
                self._issues[key] = issues if len(issues) > 1 else issues[0]
                self._judge(part, key, issues)

    def is_template(self, packed: bytes) -> bool:
        """Whether a title with this frame is one of a template's."""
        return bool(packed) and not self._templates.isdisjoint(_KEYS.unpack_from(packed))

    def _judge(self, part: int, key: int, issues: list[Entry]) -> bool:
        """Note whether a frame is a template; whether it has just become one."""
        known = key in self._templates
        if _template(issues[-MOST_LOOKED_AT:], part):
            self._templates.add(key)
            return not known
        self._templates.discard(key)
        return False


def _keys(packed: bytes) -> list[tuple[int, int]]:
    """(which part of the title, WHOLE first, then its beginning and its end; key), of the parts that have one."""
    return [(part, key) for part, key in enumerate(_KEYS.unpack_from(packed)) if key] if packed else []


def _slots(packed: bytes, part: int) -> Iterable[tuple[bytes, float]]:
    slots = packed[_KEYS.size :]
    return _SLOT.iter_unpack((slots, slots[: _SLOT.size], slots[-_SLOT.size :])[part])


def _template(issues: list[Entry], part: int) -> bool:
    days = issues[:1]
    for issue in issues:
        if issue[0] - days[-1][0] >= APART_H:
            days.append(issue)
    if len(days) < (2 if part == WHOLE else ISSUES):
        return False
    gaps = [round((later[0] - earlier[0]) / 24) for earlier, later in pairwise(days)]
    return any(
        _moves(column[0][0], [value for _, value in column], gaps)
        or (part == WHOLE and _sways([value for _, value in column]))
        for column in zip(*(_slots(packed, part) for _, _, packed in days), strict=True)
    )


def _moves(kind: bytes, values: list[float], gaps: list[int]) -> bool:
    """Whether a slot moves on as the days do: most of its steps are as long as the time between the issues."""
    steps = [
        (later - earlier - gap) % WEEK == 0 if kind == b"w" else gap - (later - earlier) in (0, *MONTHS)
        for earlier, later, gap in zip(values, values[1:], gaps, strict=False)
    ]
    needed = MOVED_TWICE if kind == b"#" else 1
    return sum(steps) >= needed and 3 * sum(steps) >= 2 * len(steps)


def _sways(values: list[float]) -> bool:
    """Whether a number goes up and down again, or the reverse, over three issues or more: a rate, not a toll."""
    steps = [later - earlier for earlier, later in pairwise(values)]
    return len(values) >= ISSUES and min(steps) < 0 < max(steps)
