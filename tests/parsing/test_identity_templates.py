"""Daily forms and shared links: articles that look like one another and are not the same."""

from datetime import UTC, datetime

import pytest

from aggregator.config import Limits
from aggregator.models import NewItem, ParseJob
from aggregator.parsing.feed import parse
from aggregator.parsing.identity import resolve

NOW = datetime(2026, 2, 25, 12, tzinfo=UTC)
ENTRY = "<item><title>{title}</title><link>https://a.example/{link}</link>{guid}<pubDate>{date}</pubDate><description>{text}</description></item>"


def new_titles(*entries):
    """The titles that a first poll of a feed with these entries brings as new."""
    body = "".join(
        ENTRY.format(title=t, link=k, guid=f"<guid isPermaLink='false'>{g}</guid>" if g else "", date=d, text=x)
        for t, k, g, d, x in entries
    )
    text = f'<rss version="2.0"><channel><title>A</title><link>https://a.example/</link>{body}</channel></rss>'
    parsed = parse(ParseJob(text.encode(), "https://a.example/rss", NOW), Limits())
    from aggregator.models import Known

    return [r.item.title for r in resolve(parsed.items, Known(), now=NOW) if isinstance(r, NewItem)]


def test_yesterdays_and_todays_rates_are_two_items():
    """One headline every day over other numbers: each day's is an item of its own."""
    rates = "Exchange rates"
    assert (
        new_titles(
            (f"{rates} of the central bank", "r/2", "2", "Wed, 25 Feb 2026 06:00:00 GMT", "Dollar 43.20, euro 46.98."),
            (f"{rates} of the central bank", "r/1", "1", "Tue, 24 Feb 2026 06:00:00 GMT", "Dollar 43.12, euro 47.06."),
        )
        == [f"{rates} of the central bank"] * 2
    )


def test_the_same_article_under_two_addresses_is_one():
    """One headline over one text, a day apart under another address and guid: one item."""
    text = "The bridge over the Venta opens for 3,000 cars a day."
    assert new_titles(
        ("New bridge opens in Kuldiga", "b?v=2", "2", "Wed, 25 Feb 2026 06:00:00 GMT", text),
        ("New bridge opens in Kuldiga", "b/1", "1", "Tue, 24 Feb 2026 07:00:00 GMT", text),
    ) == ["New bridge opens in Kuldiga"]


@pytest.mark.parametrize("guid", ["", "page"])
def test_articles_that_share_a_link_are_told_apart(guid):
    """Articles that all carry the address of one page, and no guid or the same one, are as many items."""
    titles = ["Wii on sale", "Telecom fair in Hong Kong", "A robot that walks"]
    entries = [(t, "page", guid, f"Mon, {9 + n} Feb 2026 06:20:00 GMT", "") for n, t in enumerate(titles)]
    assert new_titles(*entries) == titles


def later(old, new):
    """What a second poll makes of `new` when the first brought `old`, under the same guid; both (title, link, text)."""
    from aggregator.models import Known, KnownItem

    def item(title, link, text):
        entry = ENTRY.format(
            title=title,
            link=link,
            guid="<guid isPermaLink='false'>7</guid>",
            date="Wed, 25 Feb 2026 06:00:00 GMT",
            text=text,
        )
        body = f'<rss version="2.0"><channel><title>A</title><link>https://a.example/</link>{entry}</channel></rss>'
        return parse(ParseJob(body.encode(), "https://a.example/rss", NOW), Limits()).items[0]

    was, now = item(*old), item(*new)
    known = KnownItem(
        1, was.canonical_url, was.title, was.title_key, was.summary, was.body, was.published_at, NOW, was.content_hash
    )
    return type(resolve([now], Known(by_guid={now.guid: known}), now=NOW)[0]).__name__


def test_a_guid_that_is_used_again():
    """A guid with another link and title is a new article, a daily form too; a reworded or moved one stays the same."""
    old = ("Weather for Wednesday in Riga", "w/1", "Sunny, 5 degrees.")
    assert later(old, ("Weather for Thursday in Riga", "w/2", "Sunny, 7 degrees.")) == "NewItem"
    assert later(old, ("A new bridge over the Venta", "b/9", "It opens today.")) == "NewItem"
    assert later(old, ("Weather on Wednesday: sun over Riga", "w/1", "Sunny, 5 degrees.")) == "EditedItem"
    assert later(old, ("Weather for Wednesday in Riga", "w/1-new", "Sunny, 5 degrees.")) == "SameItem"
