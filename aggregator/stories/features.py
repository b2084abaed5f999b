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

__all__ = ["BUCKETS", "Ids", "Profile", "profile"]

BUCKETS: Final = 2**18  # hashed ids of every kind lie below
MAX_GRAMS: Final = 256
MAX_TEXT_CHARS: Final = 700  # the lead tells what happened; the rest only costs
MAX_PLACES: Final = 8
MIN_SKELETON: Final = 3  # consonants: two say little
ROUNDED_FROM: Final = 100

Ids = NDArray[np.uint32]  # sorted, unique, < BUCKETS


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One item, ready to be compared: about 3 kB with a vector of 384 dimensions."""

    item_id: int
    language: str
    country: str
    outlet_id: int
    at: datetime
    hours: float  # since the epoch
    words: int  # of title and summary
    gram_ids: Ids  # character 4-grams of title and summary, transliterated
    title_ids: Ids  # those of the title
    name_ids: Ids  # stems of capitalised words, and of all words in scripts without case
    skeleton_ids: Ids  # consonants of those words
    place_ids: Ids  # countries and cities named
    country_ids: Ids  # countries named, or of cities named; without any, the outlet's
    reach_ids: Ids  # countries named, and the outlet's
    points: NDArray[np.float32]  # cities named: rows of latitude, longitude in degrees
    abroad: bool  # whether country_ids are named in the text, not only the outlet's
    number_ids: Ids  # values counted, and the large ones rounded to two digits
    day_ids: Ids  # days of the calendar named
    vector: NDArray[np.float16] | None = field(repr=False)  # projected, see Projection


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
    return Profile(
        item_id=item.item_id,
        language=language,
        country=item.country,
        outlet_id=item.outlet_id,
        at=item.at,
        hours=item.at.timestamp() / 3600,
        words=len(words),
        gram_ids=_ids(_grams(words)),
        title_ids=_ids(_grams(title_words)),
        name_ids=_ids(name_stems(words)),
        skeleton_ids=_ids(_skeletons(words)),
        place_ids=_ids(f"{place.country}{place.number if place.city else ''}" for place in places),
        country_ids=_ids(countries or {item.country}),
        reach_ids=_ids(countries | {item.country}),
        points=_points(places),
        abroad=bool(countries),
        number_ids=_ids(_numbers(figures)),
        day_ids=_ids(f"{month}-{day}" for month, day in figures.days),
        vector=None if item.vector is None else (projection or Projection.load())(item.vector),
    )


def _skeletons(words: list[Word]) -> set[str]:
    return {bones for word in words if word.named and len(bones := skeleton(word.folded)) >= MIN_SKELETON}


def _numbers(figures: Figures) -> list[str]:
    """Values as they are, and from 100 on also to two digits: "13,950" and "14 thousand" share the latter."""
    exact = [f"{value:g}" for value in figures.values]
    return exact + [f"~{value:.1e}" for value in figures.values if value >= ROUNDED_FROM]


def _points(places: list[Place]) -> NDArray[np.float32]:
    rows = [(place.latitude, place.longitude) for place in places if place.city]
    return np.array(rows, dtype=np.float32).reshape(-1, 2)


def _grams(words: list[Word]) -> list[str]:
    grams = []
    for word in words:
        padded = f" {word.folded} "
        grams += [padded[i : i + 4] for i in range(max(1, len(padded) - 3))]
    return list(dict.fromkeys(grams))[:MAX_GRAMS]


def _ids(texts: Iterable[str]) -> Ids:
    return np.unique(np.array([zlib.crc32(text.encode()) % BUCKETS for text in texts], dtype=np.uint32))
