"""Item → profile: all that the pair model needs of one item, as small arrays. A function of the item alone."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.cleaning import match_summary, match_title
from aggregator.models import StoryItem
from aggregator.stories.gazetteer import Gazetteer, Place
from aggregator.stories.names import Word, name_stems, skeleton, words_of
from aggregator.stories.numbers import Figures, figures_in
from aggregator.stories.projection import Projection

__all__ = ["BUCKETS", "KINDS", "Ids", "Profile", "profile"]

BUCKETS: Final = 2**18
MAX_GRAMS: Final = 256
MAX_TEXT_CHARS: Final = 700  # the lead tells what happened; the rest only costs
MAX_PLACES: Final = 8
MIN_SKELETON: Final = 3  # consonants: two say little
ROUNDED_FROM: Final = 100

Ids = NDArray[np.uint32]  # sorted, unique


# The kinds of ids, in the order in which a profile holds them. An id of a kind is a hash below BUCKETS, plus BUCKETS times
# the number of its kind.
KINDS: Final = (
    "gram",  # character 4-grams of title and summary, transliterated
    "title",  # those of the title
    "name",  # stems of capitalised words, and of all words in scripts without case
    "skeleton",  # consonants of those words
    "place",  # countries and cities named
    "country",  # countries named, or of cities named; without any, the outlet's
    "reach",  # countries named, and the outlet's
    "number",  # values counted, and the large ones rounded to two digits
    "day",  # days of the calendar named
    "region",  # regions named, or of cities named
)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One item, ready to be compared: about 2 kB with a vector of 384 dimensions."""

    item_id: int
    language: str
    country: str
    outlet_id: int
    at: datetime
    hours: float  # since the epoch
    words: int  # of title and summary
    abroad: bool  # whether a country or city is named in the text
    ids: Ids  # of all kinds, sorted
    bounds: NDArray[np.int64]  # where each kind begins in `ids`, and where the last ends
    points: NDArray[np.float32]  # cities and small regions named: rows of latitude, longitude in degrees
    vector: NDArray[np.float16] | None = field(repr=False)  # projected, see Projection

    def ids_of(self, kind: str) -> Ids:
        """The ids of one of KINDS, as hashes below BUCKETS."""
        number = KINDS.index(kind)
        own: Ids = self.ids[self.bounds[number] : self.bounds[number + 1]] - np.uint32(number * BUCKETS)
        return own

    @property
    def gram_ids(self) -> Ids:
        """Of character 4-grams of title and summary."""
        return self.ids_of("gram")

    @property
    def name_ids(self) -> Ids:
        """Of stems of words that may be names."""
        return self.ids_of("name")

    @property
    def number_ids(self) -> Ids:
        """Of values counted."""
        return self.ids_of("number")


def profile(item: StoryItem, projection: Projection | None = None) -> Profile:
    """The profile of `item`; about 1 ms. `projection`: another than the shipped one, for training."""
    title, summary = match_title(item.title, item.outlet), match_summary(item.summary)
    text = f"{title}. {summary}"[:MAX_TEXT_CHARS]
    language = item.language.split("-", 1)[0]
    title_words = words_of(title[:MAX_TEXT_CHARS])
    words = title_words + words_of(summary[: max(0, MAX_TEXT_CHARS - len(title))])
    places = Gazetteer.load().find(words, item.country)[:MAX_PLACES]
    countries = {place.country for place in places}
    figures = figures_in(text, language)
    ids, bounds = _ids(
        _grams(words),
        _grams(title_words),
        name_stems(words),
        _skeletons(words),
        [f"{place.country}{place.number if place.city else ''}" for place in places if not place.region],
        countries or {item.country},
        countries | {item.country},
        _numbers(figures),
        [f"{month}-{day}" for month, day in figures.days],
        {code for place in places for code in place.regions},
    )
    return Profile(
        item_id=item.item_id,
        language=language,
        country=item.country,
        outlet_id=item.outlet_id,
        at=item.at,
        hours=item.at.timestamp() / 3600,
        words=len(words),
        abroad=bool(countries),
        ids=ids,
        bounds=bounds,
        points=_points(places),
        vector=None if item.vector is None else (projection or Projection.load())(item.vector),
    )


def _skeletons(words: list[Word]) -> set[str]:
    return {bones for word in words if word.named and len(bones := skeleton(word.folded)) >= MIN_SKELETON}


def _numbers(figures: Figures) -> list[str]:
    """Values as they are, and from 100 on also to two digits: "13,950" and "14 thousand" share the latter."""
    exact = [f"{value:g}" for value in figures.values]
    return exact + [f"~{value:.1e}" for value in figures.values if value >= ROUNDED_FROM]


def _points(places: list[Place]) -> NDArray[np.float32]:
    rows = [place.position for place in places if place.position]
    return np.array(rows, dtype=np.float32).reshape(-1, 2)


def _grams(words: list[Word]) -> list[str]:
    grams = []
    for word in words:
        padded = f" {word.folded} "
        grams += [padded[i : i + 4] for i in range(max(1, len(padded) - 3))]
    return list(dict.fromkeys(grams))[:MAX_GRAMS]


def _ids(*kinds: Iterable[str]) -> tuple[Ids, NDArray[np.int64]]:
    ids: list[int] = []
    bounds = [0]
    for number, texts in enumerate(kinds):
        ids += sorted({zlib.crc32(text.encode()) % BUCKETS + number * BUCKETS for text in texts})
        bounds.append(len(ids))
    return np.array(ids, dtype=np.uint32), np.array(bounds, dtype=np.int64)
