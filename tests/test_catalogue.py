"""The shipped catalogue, config/feeds/*.toml, as `aggregator run` would load it."""

from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from babel.core import get_global

from aggregator.config import load_config, shipped_config_dir
from aggregator.feedfiles import load_feeds


@pytest.fixture(scope="module")
def feeds():
    """The feeds of the shipped configuration."""
    return load_feeds(load_config(shipped_config_dir() / "aggregator.toml"))


def test_is_wide(feeds):
    """A fresh installation reads at least 150 feeds of 60 countries in 40 languages, from every region."""
    assert len(feeds) >= 150
    assert len({f.country for f in feeds}) >= 60
    assert len({f.language for f in feeds}) >= 40
    assert len({f.region for f in feeds}) >= 15


def test_a_country_has_several_outlets(feeds):
    """Coverage can be compared within a country: nine countries in ten have three outlets or more."""
    outlets = defaultdict(set)
    for feed in feeds:
        outlets[feed.country].add(feed.outlet)
    few = sorted(country for country, names in outlets.items() if len(names) < 3)
    assert len(few) <= len(outlets) / 10, few


def test_codes_are_known(feeds):
    """Every country and language has a name that can be shown."""
    english = Locale("en")
    assert not {f.country for f in feeds} - set(english.territories)
    assert not {f.language for f in feeds} - set(english.languages)


def test_no_feed_stands_twice(feeds):
    """The same address with http and https, with www. or a slash at the end, is one feed."""
    keys = Counter(f.url.partition("://")[2].removeprefix("www.").rstrip("/").lower() for f in feeds)
    assert not [key for key, n in keys.items() if n > 1]


def test_outlets_are_spelt_one_way(feeds):
    """An outlet's name stands for one outlet of one country, in one spelling."""
    countries = defaultdict(set)
    spellings = defaultdict(set)
    for feed in feeds:
        countries[feed.outlet].add(feed.country)
        spellings[feed.country, feed.outlet.casefold().removeprefix("the ")].add(feed.outlet)
        assert feed.outlet == feed.outlet.strip()
    assert not {name for name, where in countries.items() if len(where) > 1}
    assert not [names for names in spellings.values() if len(names) > 1]


def test_time_zones(feeds):
    """A feed of a country with several time zones names its own, and the zone lies in that country."""
    zones = defaultdict(set)
    for zone, country in get_global("zone_territories").items():
        zones[country].add(zone)
    for feed in feeds:
        assert bool(feed.timezone) == (len(zones[feed.country]) > 1), feed
        if feed.timezone:
            assert ZoneInfo(feed.timezone)
            assert feed.timezone in zones[feed.country], feed


def test_nothing_is_called_verified(feeds):
    """No feed claims that we have seen it answer: we have not."""
    assert not [f.url for f in feeds if f.verified]
