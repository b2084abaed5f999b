"""The sample outlets: 36 feeds of every dialect, in a dozen encodings and two dozen languages."""

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.config import Limits
from aggregator.demo.feeds import render
from aggregator.demo.samples import load_outlets
from aggregator.models import DateSource, ParsedFeed, ParseJob
from aggregator.parsing.feed import parse
from aggregator.parsing.layout import Layout, lay_out
from aggregator.parsing.quick import quick_entries

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("outlet", load_outlets(), ids=lambda outlet: outlet.slug)
def test_every_sample_feed_says_what_its_outlet_wrote(outlet):
    """Titles, summaries, links, languages and dates come out as they were written, without a warning."""
    body = render(outlet, NOW)
    found = parse(
        ParseJob(body.body, outlet.site, NOW, body.content_type, country=outlet.country, outlet=outlet.outlet), Limits()
    )
    assert isinstance(found, ParsedFeed), found
    assert found.warnings == ()
    written = {item.link: item for item in outlet.items}
    assert len(found.items) == len({item.url for item in found.items}) > 0
    for item in found.items:
        source = written[item.url]
        assert item.title == " ".join(source.title.split())
        assert item.language == outlet.language
        assert item.date_source is DateSource.FEED
        assert abs(item.published_at - (NOW - timedelta(minutes=source.ago_min))) <= timedelta(minutes=1)
        if source.summary:
            assert item.summary == " ".join(source.summary.split())


def test_sample_feeds_need_no_feedparser():
    """Nine of ten entries of the XML feeds are plain enough to be read without feedparser."""
    plain = every = 0
    for outlet in load_outlets():
        if outlet.format != "json":
            layout = lay_out(render(outlet, NOW).body.decode(outlet.encoding))
            assert isinstance(layout, Layout)
            entries = quick_entries(layout.data, len(layout.entries))
            plain += sum(entry is not None for entry in entries)
            every += len(entries)
    assert plain >= 0.9 * every
