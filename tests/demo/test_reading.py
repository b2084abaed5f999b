"""The sample feeds through the program's own parser: what was written is what arrives."""

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.config import Limits
from aggregator.demo.feeds import render
from aggregator.demo.samples import load_outlets
from aggregator.models import DateSource, ParsedFeed, ParseJob
from aggregator.parsing.feed import parse

NOW = datetime(2026, 2, 25, 6, 23, 41, tzinfo=UTC)


@pytest.mark.parametrize("outlet", load_outlets(), ids=lambda o: o.slug)
def test_what_was_written_arrives(outlet):
    """Each item comes out of its format, encoding and date style with the texts, time and language that it was given."""
    feed = render(outlet, NOW, 0, "http://127.0.1.1:8000/x")
    job = ParseJob(
        body=feed.body,
        url="http://127.0.1.1:8000/x",
        now=NOW,
        content_type=feed.content_type,
        language=outlet.language,
        country=outlet.country,
        timezone=outlet.timezone,
        outlet=outlet.outlet,
    )
    read = parse(job, Limits())
    assert isinstance(read, ParsedFeed)
    assert read.warnings == ()
    assert (read.title, read.homepage, read.language) == (outlet.outlet, outlet.site, outlet.language)
    found = {item.url: item for item in read.items}
    written = {item.link: item for item in outlet.items if not item.appears_min}
    assert found.keys() == written.keys()
    for link, item in written.items():
        got = found[link]
        assert (got.title, got.summary, got.body) == (item.title, item.summary, item.body)
        assert (got.language, got.author, got.tags) == (outlet.language, item.author, item.tags)
        assert got.published_at == NOW.replace(microsecond=0) - timedelta(minutes=item.ago_min)
        assert got.date_source is DateSource.FEED
