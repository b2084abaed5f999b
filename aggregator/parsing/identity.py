"""Which stored item an entry is, or whether it is new. Pure: the stored items that matter are handed in."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from aggregator.models import Duplicate, EditedItem, Item, Known, KnownItem, NewItem, Resolution, SameItem
from aggregator.parsing.urls import is_site_root

__all__ = ["resolve"]

_TITLE_WINDOW: Final = timedelta(hours=48)
_REPEATED: Final = timedelta(hours=3)  # apart from which equal titles over unlike texts are a column, not an article
_SHORT_TITLE: Final = 3  # words; "Weather" or "Sports news" name no article
_SHORT_LETTERS: Final = 12  # characters of such a title, for scripts without spaces
# Shares of common words from which …
_SAME_LINK: Final = 0.5  # … two titles under one link are one article's
_MOVED: Final = 0.75  # … two titles under two links are
_SAME_TEXT: Final = 0.7  # … two texts are, whatever their titles
_NOT_UNLIKE: Final = 0.3  # … two texts may be, under one title
_WORD: Final = re.compile(r"\w+")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_DATE_MOVES: Final = timedelta(minutes=1)


def resolve(items: Sequence[Item], known: Known, *, now: datetime) -> tuple[Resolution, ...]:
    """What each of `items` (the entries of one body) is to the outlet, in their order.

    An entry is a known item if, in this order, its guid is known in this feed and its link or its title agrees; or its
    canonical URL is known in the outlet; or its title is, within 48 hours, over texts that do not contradict. A guid that
    comes with another link and another title is a new article. The same rules hold among the entries of one body: a second
    entry of a new article is a `Duplicate` of the first, a second one of a known item is the SameItem whatever it says.
    """
    view = _View(known, _shared_links(items), _shared_guids(items), now)
    return tuple(view.resolve(item) for item in items)


def _shared_links(items: Sequence[Item]) -> frozenset[str]:
    """Links that several articles of one body carry: they name a page of theirs, not the article."""
    titles: dict[str, set[str]] = {}
    for item in items:
        titles.setdefault(item.canonical_url, set()).add(item.title_key)
    entries = Counter(item.canonical_url for item in items)
    return frozenset(
        url for url, count in entries.items() if not url or is_site_root(url) or (count > 1 and len(titles[url]) > 1)
    )


def _shared_guids(items: Sequence[Item]) -> frozenset[str]:
    """Ids that entries of one body with different links and titles carry: they name nothing."""
    links: dict[str, set[str]] = {}
    titles: dict[str, set[str]] = {}
    for item in items:
        links.setdefault(item.guid, set()).add(item.canonical_url)
        titles.setdefault(item.guid, set()).add(item.title_key)
    return frozenset(guid for guid in links if len(links[guid]) > 1 and len(titles[guid]) > 1)


class _View:
    """The stored items overlaid by what the body has brought so far."""

    def __init__(self, known: Known, shared: frozenset[str], shared_guids: frozenset[str], now: datetime) -> None:
        self._known = known
        self._shared_guids = shared_guids
        self._shared = shared
        self._now = now
        self._count = 0
        # Of this body: the known item (positive id) or the resolution's index (negative, -1 - index) by each key.
        self._guids: dict[str, KnownItem] = {}
        self._urls: dict[str, KnownItem] = {}
        self._titles: dict[str, KnownItem] = {}
        self._resolved: set[int] = set()

    def resolve(self, item: Item) -> Resolution:
        index = self._count
        self._count += 1
        match = self._match(item)
        if match is None:
            self._note(item, _as_known(item, -1 - index, self._now))
            return NewItem(item)
        if match.item_id < 0:
            self._note(item, match)
            return Duplicate(-1 - match.item_id, item)
        first = match.item_id not in self._resolved
        self._resolved.add(match.item_id)
        self._note(item, match)
        changed = _changes(item, match) if first else ()
        return EditedItem(match.item_id, item, changed) if changed else SameItem(match.item_id, item)

    def _note(self, item: Item, as_known: KnownItem) -> None:
        self._guids[item.guid] = as_known
        if item.canonical_url not in self._shared:
            self._urls[item.canonical_url] = as_known
        if item.title_key:
            self._titles[item.title_key] = as_known

    def _match(self, item: Item) -> KnownItem | None:
        by_guid = self._guids.get(item.guid) or self._known.by_guid.get(item.guid)
        if item.guid in self._shared_guids:
            by_guid = None
        if by_guid and _same_by_guid(item, by_guid, shared=item.canonical_url in self._shared):
            return by_guid
        if item.canonical_url not in self._shared:
            by_url = self._urls.get(item.canonical_url) or self._known.by_url.get(item.canonical_url)
            if by_url:
                return by_url
        by_title = self._titles.get(item.title_key) or self._known.by_title.get(item.title_key)
        if by_title and _same_by_title(item, by_title, self._now):
            return by_title
        return None


def _as_known(item: Item, item_id: int, now: datetime) -> KnownItem:
    return KnownItem(
        item_id=item_id,
        canonical_url=item.canonical_url,
        title=item.title,
        title_key=item.title_key,
        summary=item.summary,
        body=item.body,
        published_at=item.published_at,
        first_seen_at=now,
        content_hash=item.content_hash,
    )


def _same_by_guid(item: Item, known: KnownItem, *, shared: bool) -> bool:
    """A guid holds unless link and title both say otherwise; a title that was reworded still agrees.

    `shared`: the link is that of several articles of the body, so that it agrees with none.
    """
    if not shared and item.canonical_url and item.canonical_url == known.canonical_url:
        return True
    if item.title_key == known.title_key:
        return True
    if not item.canonical_url or not known.canonical_url:
        return True
    # Another link and another title: only a text that is all but the same is the article moved and reworded. A daily form
    # ("Weather for Thursday", other figures) is not.
    alike = _overlap(item.title_key, known.title_key)
    if item.canonical_url == known.canonical_url:
        return alike >= _SAME_LINK
    if _numbers(f"{item.title} {item.summary}") != _numbers(f"{known.title} {known.summary}"):
        return False
    return alike >= _MOVED or bool(
        item.summary and known.summary and _overlap(item.summary, known.summary) >= _SAME_TEXT
    )


def _same_by_title(item: Item, known: KnownItem, now: datetime) -> bool:
    if min(abs(item.published_at - known.published_at), abs(now - known.first_seen_at)) > _TITLE_WINDOW:
        return False
    if item.canonical_url and item.canonical_url == known.canonical_url:
        return True
    apart = abs(item.published_at - known.published_at)
    alike = _overlap(item.summary or item.body[:500], known.summary or known.body[:500])
    if len(item.title_key.split()) < _SHORT_TITLE and len(item.title_key) < _SHORT_LETTERS:
        return alike >= _SAME_TEXT and apart <= _REPEATED
    if apart > _REPEATED and _numbers(item.summary) != _numbers(known.summary):
        return False  # a daily form: yesterday's exchange rates and today's, under one headline
    return alike >= _NOT_UNLIKE or apart <= _REPEATED or not (item.summary and known.summary)


def _numbers(text: str) -> frozenset[str]:
    return frozenset(_NUMBER.findall(text))


def _overlap(a: str, b: str) -> float:
    """Share of the shorter text's distinct words that the other has too; in scripts without spaces, pairs of characters."""
    one, two = _units(a), _units(b)
    return len(one & two) / min(len(one), len(two)) if one and two else 0.0


def _units(text: str) -> frozenset[str]:
    words = _WORD.findall(text[:2000].casefold())
    if len(words) * 12 < sum(map(len, words)):
        joined = "".join(words)
        return frozenset(joined[n : n + 2] for n in range(len(joined) - 1))
    return frozenset(words)


def _changes(item: Item, known: KnownItem) -> tuple[str, ...]:
    """What an edit changed, or () when it is none: the same words, or what this very entry has said before."""
    if item.content_hash in (known.content_hash, known.sighted_hash):
        return ()
    if not known.title and not known.summary:  # emptied by retention
        return ()
    changed = []
    if item.title_key != known.title_key:
        changed.append("title")
    if _bare(item.summary) != _bare(known.summary):
        changed.append("summary")
    if _bare(item.body) != _bare(known.body):
        changed.append("body")
    if changed and item.date_source == "feed" and abs(item.published_at - known.published_at) > _DATE_MOVES:
        changed.append("published_at")
    return tuple(changed)


def _bare(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
