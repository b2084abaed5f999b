"""What the sample feeds hold, as `make demo` and the README promise."""

import unicodedata
from collections import Counter, defaultdict
from difflib import SequenceMatcher
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from aggregator.demo.samples import gold, load_outlets

ITEMS = [(outlet, item) for outlet in load_outlets() for item in outlet.items]
BY_REF = {item.ref: (outlet, item) for outlet, item in ITEMS}


@pytest.fixture(scope="module")
def tellers():
    """Event label → the outlets that tell of it, one for each item."""
    found = defaultdict(list)
    for outlet, item in ITEMS:
        found[item.event].append(outlet)
    return found


def test_outlets_countries_languages():
    """36 outlets of at least 18 countries in at least 14 languages, the promised ones among them."""
    outlets = load_outlets()
    assert len({o.outlet for o in outlets}) == len({o.slug for o in outlets}) == len({o.site for o in outlets}) == 36
    assert len({o.country for o in outlets}) >= 18
    languages = {o.language for o in outlets}
    assert len(languages) >= 14
    assert languages >= {"lv", "lt", "et", "fi", "ru", "uk", "pl", "de", "fr", "es", "en", "tr", "ar", "hi", "zh", "ja"}


def test_codes_and_zones_are_known():
    """Every country, language and time zone has a name that other parts of the program understand."""
    english = Locale("en")
    for outlet in load_outlets():
        assert outlet.country in english.territories
        assert outlet.language in english.languages
        assert ZoneInfo(outlet.timezone)
        assert bool(outlet.zone) == (outlet.dates == "zone")


def test_every_way_of_writing_a_feed_is_there():
    """The mix over outlets covers the formats, encodings, dates, summaries, guids and validators."""
    outlets = load_outlets()
    assert {o.format for o in outlets} == {"rss2", "atom", "rdf", "json"}
    assert {o.encoding for o in outlets} >= {"utf-8", "windows-1257", "windows-1251", "iso-8859-2", "shift_jis"}
    assert {o.dates for o in outlets} == {"gmt", "offset", "zone", "iso-z", "iso-offset"}
    assert {o.summaries for o in outlets} == {"plain", "cdata", "escaped"}
    assert {o.guids for o in outlets} == {"permalink", "number", "tag", "none"}
    assert {o.validators for o in outlets} == {"etag", "weak-etag", "date", "both"}
    assert {o.dates for o in outlets if o.format != "rss2"} == {"iso-z", "iso-offset"}


def test_items_and_events(tellers):
    """About 250 items: some 45 events of 2 to 8 outlets in 2 to 7 languages, and at least 60 items that stand alone."""
    assert 240 <= len(ITEMS) <= 290
    shared = {event: outlets for event, outlets in tellers.items() if len(outlets) > 1}
    assert 42 <= len(shared) <= 50
    assert len(tellers) - len(shared) >= 60
    for event, outlets in shared.items():
        assert 2 <= len({o.slug for o in outlets}) <= 8, event
        assert 2 <= len({o.language for o in outlets}) <= 7, event
    assert max(len({o.slug for o in outlets}) for outlets in shared.values()) == 8
    assert sum(len({o.country for o in outlets}) > 1 for outlets in shared.values()) >= 40


def test_follow_ups_and_templates(tellers):
    """Some outlets come back to an event; look-alikes of one outlet (weather, rates) are events of their own."""
    come_back = [event for event, outlets in tellers.items() if max(Counter(o.slug for o in outlets).values()) > 1]
    assert len(come_back) >= 10
    templates = [event for event in tellers if event.endswith(("-yesterday", "-today"))]
    assert len(templates) >= 10
    assert all(len(tellers[event]) == 1 for event in templates)


def test_gold_labels_every_item():
    """`gold` gives each item's label by its link, and no two items share a link or a number."""
    labels = gold()
    assert len(labels) == len(ITEMS)
    assert all(labels[item.link] == item.event for _, item in ITEMS)
    assert len({item.number for _, item in ITEMS}) == len(ITEMS)


def test_times_are_fresh():
    """All items are of the last 40 hours and spread over them; what appears later is newer than all before it."""
    ages = [item.ago_min for _, item in ITEMS]
    assert 0 < min(ages) <= 10
    assert 36 * 60 < max(ages) < 40 * 60
    for start in range(0, 36, 6):
        assert sum(start * 60 <= age < (start + 6) * 60 for age in ages) >= 15, start
    later = [item for _, item in ITEMS if item.appears_min or item.revised]
    assert len(later) >= 10
    for outlet in load_outlets():
        first = min(item.ago_min for item in outlet.items if not item.appears_min)
        changes = [i.revised.ago_min if i.revised else i.ago_min for i in outlet.items if i.appears_min or i.revised]
        assert all(ago < first for ago in changes), outlet.slug


def test_follow_ups_come_after_what_they_follow():
    """What appears later joins an event that was told before, or begins one in several outlets."""
    first_told = defaultdict(int)
    for _, item in ITEMS:
        first_told[item.event] = max(first_told[item.event], item.ago_min)
    late = Counter(item.event for _, item in ITEMS if item.appears_min)
    assert all(first_told[event] > 60 or count > 1 for event, count in late.items())


def test_reprints():
    """A reprint belongs to the event of what it repeats, came later, in another outlet, in nearly the same words."""
    reprints = [(outlet, item) for outlet, item in ITEMS if item.reprint_of]
    assert len(reprints) >= 3
    for outlet, item in reprints:
        source, original = BY_REF[item.reprint_of]
        assert source.slug != outlet.slug
        assert original.event == item.event
        assert original.ago_min > item.ago_min
        assert SequenceMatcher(None, original.summary, item.summary).ratio() > 0.85


def test_tellings_are_independent():
    """Two items of an event in one language differ in their words, unless one is a reprint."""
    groups = defaultdict(list)
    for outlet, item in ITEMS:
        if not item.reprint_of:
            groups[item.event, outlet.language].append(item)
    for items in groups.values():
        for number, one in enumerate(items):
            for other in items[number + 1 :]:
                assert SequenceMatcher(None, one.summary, other.summary).ratio() < 0.75, (one.ref, other.ref)


def test_texts_are_clean():
    """Titles and summaries are NFC, without markup or stray spaces, and long enough to mean something."""
    for outlet, item in ITEMS:
        for text in (item.title, item.summary):
            assert text == unicodedata.normalize("NFC", " ".join(text.split())), item.ref
            assert "<" not in text
            assert len(text) >= (12 if outlet.language in {"ja", "zh", "ko"} else 20), item.ref
    bodies = [item.body for _, item in ITEMS if item.body]
    assert len(bodies) >= 30
    assert all(len(body.split("\n\n")) == 3 for body in bodies)


def test_texts_are_in_the_outlets_script():
    """An outlet writes in its language's script: nothing was pasted into the wrong file."""
    scripts = {"ru": "CYRILLIC", "uk": "CYRILLIC", "ar": "ARABIC", "hi": "DEVANAGARI", "el": "GREEK", "ko": "HANGUL"}
    for outlet, item in ITEMS:
        letters = [c for c in item.title if c.isalpha()]
        script = scripts.get(outlet.language, "CJK" if outlet.language in {"zh", "ja"} else "LATIN")
        names = Counter(unicodedata.name(c).split()[0] for c in letters)
        found = names[script] + (names["HIRAGANA"] + names["KATAKANA"] if outlet.language == "ja" else 0)
        assert found > len(letters) * 0.6, item.ref
