"""Charts, times and texts as the pages show them."""

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.models import iso
from aggregator.web.guard import host_name
from aggregator.web.wording import Bars, Headline, ago, headline, paragraphs, pieces, span, timeline_bars, web_link

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "0 min"), (59, "59 min"), (60, "1 h"), (320, "5 h 20 min"), (1440, "1 d"), (4560, "3 d 4 h"), (1441, "1 d")],
)
def test_a_length_of_time_in_words(minutes, words):
    """At most two units, none of them zero."""
    assert span(timedelta(minutes=minutes)) == words


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "now"), (5, "5 min ago"), (320, "5 h ago"), (-30, "in 30 min"), (-3000, "in 2 d")]
)
def test_how_long_ago(minutes, words):
    """Past and future, in one unit."""
    assert ago(iso(NOW - timedelta(minutes=minutes)), NOW) == words


def test_never():
    """What did not happen yet has no time."""
    assert ago(None, NOW) == "never"


@pytest.mark.parametrize("hours", [0.1, 1, 5, 30, 24 * 9, 24 * 400, 24 * 4000])
def test_a_storys_chart_holds_every_item_in_few_slots(hours):
    """However long a story lasts, each item is in one of at most 48 slots, the last in the last."""
    at = [NOW + timedelta(hours=hours * n / 100) for n in range(101)]
    bars = timeline_bars(at)
    assert bars is not None
    assert bars.total == 101
    assert 2 <= len(bars.counts) <= 48
    assert bars.counts[0] > 0 < bars.counts[-1]


def test_a_story_of_one_moment_has_no_chart():
    """One bar would tell nothing."""
    assert timeline_bars([NOW, NOW]) is None
    assert timeline_bars([]) is None


def test_bars_are_drawn_to_scale():
    """The peak is as high as the chart, empty slots are empty, one item among many can still be seen."""
    bars = Bars(NOW, timedelta(hours=1), (0, 1, 200))
    assert bars.drawn(30) == [(0, 30), (2, 28), (30, 0)]
    assert Bars(NOW, timedelta(hours=1), (1,)).drawn(28, scale=4) == [(7, 21)]
    assert bars.slot == "hour"


def test_a_headline_in_the_readers_language_keeps_the_original_and_says_what_made_it():
    """A translated title never stands alone; the outlet's own stands as it is."""
    row = {"title": "Zemestrīce", "reader_title": "Earthquake", "language": "lv"}
    assert headline(row, "en", "machine") == Headline("Earthquake", "en", "Zemestrīce", "lv", "machine translation")
    assert headline({**row, "reader_title": None}, "en", None) == Headline("Zemestrīce", "lv")
    assert headline({**row, "reader_title": "Zemestrīce"}, "lv", None) == Headline("Zemestrīce", "lv")
    assert headline(row, "en", None).made == "machine translation"


def test_texts_are_taken_apart():
    """Paragraphs by empty lines; a snippet into what was sought and the rest."""
    assert paragraphs("One.\n\nTwo.\n \nThree.") == ["One.", "Two.", "Three."]
    assert paragraphs(None) == []
    assert list(pieces("a \x02b\x03 [c] \x02d\x03")) == [("a ", False), ("b", True), (" [c] ", False), ("d", True)]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "JavaScript:x", "//host/x", "", " https://a"]
)
def test_only_web_links_are_links(url):
    """Other schemes than http and https are not offered for following."""
    assert web_link(url) == ""
    assert web_link("HTTPS://a.example/") == "HTTPS://a.example/"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8001", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8001", "::1"),
        ("News.Example:80", "news.example"),
    ],
)
def test_the_name_in_a_host_header(header, name):
    """Port, brackets and capitals are no part of it."""
    assert host_name(header) == name
