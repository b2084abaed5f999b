"""Item → profile: all that the pair model needs of one item, as small arrays. A function of the item alone."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.cleaning import match_summary, match_title
from aggregator.models import StoryItem
from aggregator.stories.frames import frame_of
from aggregator.stories.gazetteer import Gazetteer, Place
from aggregator.stories.names import Word, name_stems, skeleton, words_of
from aggregator.stories.numbers import Figures, figures_in
from aggregator.stories.projection import Projection

__all__ = ["BUCKETS", "KINDS", "Ids", "Profile", "pack_vector", "profile", "unpack_vectors"]

BUCKETS: Final = 2**18
MAX_GRAMS: Final = 256
MAX_TEXT_CHARS: Final = 700  # the lead tells what happened; the rest only costs
MAX_PLACES: Final = 8
MIN_SKELETON: Final = 3  # consonants: two say little
ROUNDED_FROM: Final = 100
LARGEST_STEP: Final = 127

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
    """One item, ready to be compared; about 1.3 kB with a vector of 384 dimensions.

    What makes the most of it is kept as bytes: an array of its own costs a hundred bytes more than what it holds, and
    bytes of many items are joined faster than arrays.
    """

    item_id: int
    language: str
    country: str
    outlet_id: int
    hours: float  # since the epoch
    words: int  # of title and summary
    abroad: bool  # whether a country or city is named in the text
    packed_ids: bytes = field(repr=False)  # uint32, see `ids`
    packed_bounds: bytes = field(repr=False)  # uint16, see `bounds`
    packed_points: bytes = field(repr=False)  # float32, see `points`
    packed_vector: bytes | None = field(repr=False)  # see `pack_vector`
    frame: bytes = field(default=b"", repr=False)  # of the title, see frames.py; empty for most

    @property
    def ids(self) -> Ids:
        """Of all kinds, sorted."""
        return np.frombuffer(self.packed_ids, dtype=np.uint32)

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Where each kind begins in `ids`, and where the last ends."""
        return np.frombuffer(self.packed_bounds, dtype=np.uint16).astype(np.int64)

    @property
    def points(self) -> NDArray[np.float32]:
        """Cities and small regions named: rows of latitude, longitude in degrees."""
        return np.frombuffer(self.packed_points, dtype=np.float32).reshape(-1, 2)

    @property
    def vector(self) -> NDArray[np.float32] | None:
        """Projected, see Projection."""
        return None if self.packed_vector is None else unpack_vectors([self.packed_vector])[0]

    def ids_of(self, kind: str) -> Ids:
        """The ids of one of KINDS, as hashes below BUCKETS."""
        number = KINDS.index(kind)
        at, end = memoryview(self.packed_bounds).cast("H")[number : number + 2]
        own: Ids = self.ids[at:end] - np.uint32(number * BUCKETS)
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
    """The profile of `item`; 0.3 to 1 ms. `projection`: another than the shipped one, for training."""
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
        hours=item.at.timestamp() / 3600,
        words=len(words),
        abroad=bool(countries),
        frame=frame_of(title, language, item.outlet_id),
        packed_ids=ids,
        packed_bounds=bounds,
        packed_points=_points(places),
        packed_vector=None
        if item.vector is None
        else pack_vector((projection or Projection.load())(item.vector, language)),
    )


def _skeletons(words: list[Word]) -> set[str]:
    return {bones for word in words if word.named and len(bones := skeleton(word.folded)) >= MIN_SKELETON}


def _numbers(figures: Figures) -> list[str]:
    """Values as they are, and from 100 on also to two digits: "13,950" and "14 thousand" share the latter."""
    exact = [f"{value:g}" for value in figures.values]
    return exact + [f"~{value:.1e}" for value in figures.values if value >= ROUNDED_FROM]


def _points(places: list[Place]) -> bytes:
    return np.array([place.position for place in places if place.position], dtype=np.float32).tobytes()


def _grams(words: list[Word]) -> list[str]:
    grams = []
    for word in words:
        padded = f" {word.folded} "
        grams += [padded[i : i + 4] for i in range(max(1, len(padded) - 3))]
    return list(dict.fromkeys(grams))[:MAX_GRAMS]


def _ids(*kinds: Iterable[str]) -> tuple[bytes, bytes]:
    ids: list[int] = []
    bounds = [0]
    for number, texts in enumerate(kinds):
        ids += sorted({zlib.crc32(text.encode()) % BUCKETS + number * BUCKETS for text in texts})
        bounds.append(len(ids))
    return np.array(ids, dtype=np.uint32).tobytes(), np.array(bounds, dtype=np.uint16).tobytes()


def pack_vector(vector: NDArray[np.float32]) -> bytes:
    """A float32, the size of one step, and a signed byte for each dimension: cosines stay within .002, of vectors without outliers."""
    step = np.float32(max(float(np.abs(vector).max()), 1e-9) / LARGEST_STEP)
    steps: NDArray[np.int8] = np.rint(vector / step).astype(np.int8)
    return bytes(step.tobytes() + steps.tobytes())


def unpack_vectors(packed: Sequence[bytes]) -> NDArray[np.float32]:
    """Rows in the order of `packed`, which are of one length."""
    raw = np.frombuffer(b"".join(packed), dtype=np.uint8).reshape(len(packed), -1)
    steps = raw[:, :4].copy().view(np.float32)
    vectors: NDArray[np.float32] = raw[:, 4:].view(np.int8).astype(np.float32) * steps
    return vectors
