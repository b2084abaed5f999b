"""Which stored item an entry is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from aggregator.cleaning import title_key
from aggregator.models import DateSource, Duplicate, EditedItem, Item, Known, KnownItem, NewItem, SameItem
from aggregator.parsing.identity import resolve
from aggregator.parsing.items import content_hash
from aggregator.parsing.urls import canonical

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRE = "Fire in the port of Ventspils is out, nobody was hurt"
TEXT = "Firefighters put out a blaze in a grain store on Sunday morning; the harbour works again."
OTHER = "Parliament adopts the budget after a night of debate"
OTHER_TEXT = "Sixty of a hundred members voted for the spending plan of the coalition."


def entry(title=FIRE, text=TEXT, url="https://example.lv/a/fire-1", guid="g1", at=NOW - timedelta(hours=1), body=""):
    """An entry as the parser gives it."""
    key = title_key(title)
    return Item(
        guid,
        url,
        canonical(url),
        title,
        key,
        text,
        body,
        "",
        "en",
        at,
        "",
        DateSource.FEED,
        content_hash(key, text, body),
    )


def stored(item, item_id=1, seen=NOW - timedelta(hours=1), **more):
    """The same, as the store remembers it."""
    known = KnownItem(
        item_id,
        item.canonical_url,
        item.title,
        item.title_key,
        item.summary,
        item.body,
        item.published_at,
        seen,
        item.content_hash,
    )
    return replace(known, **more)


def know(*pairs):
    """Everything a store would find for these (entry, item) pairs."""
    return Known(
        by_guid={item.guid: known for item, known in pairs},
        by_url={known.canonical_url: known for _, known in pairs},
        by_title={known.title_key: known for _, known in pairs},
    )


KNOWN = know((entry(), stored(entry())))


def only(item, known=KNOWN):
    """The resolution of a body of one entry."""
    (found,) = resolve([item], known, now=NOW)
    return found


def test_unknown_is_new():
    """Another guid, link and title is another article."""
    assert only(entry(OTHER, OTHER_TEXT, "https://example.lv/a/2", "g2")) == NewItem(
        entry(OTHER, OTHER_TEXT, "https://example.lv/a/2", "g2")
    )


def test_guid_churn_makes_no_new_item():
    """A guid that changes with every poll, over the same link, is the same item and no edit."""
    assert only(entry(guid="g-churned")) == SameItem(1, entry(guid="g-churned"))


def test_tracking_links_make_no_new_item():
    """The same article under a link with tracking, AMP or another host name is the same."""
    for url in ("http://m.example.lv/a/fire-1?utm_source=x", "https://example.lv/a/fire-1/amp/"):
        assert isinstance(only(entry(url=url, guid="other")), SameItem)


def test_a_reused_guid_with_another_link_and_title_is_new():
    """Some systems number their entries 1-10 again and again."""
    assert isinstance(only(entry(OTHER, OTHER_TEXT, "https://example.lv/a/2", "g1")), NewItem)


def test_a_changed_link_under_the_same_title_is_the_same():
    """A slug that was corrected, within 48 hours; later it is another article."""
    moved = entry(url="https://example.lv/a/fire-out-1", guid="other")
    assert isinstance(only(moved), SameItem)
    late = replace(moved, published_at=NOW + timedelta(hours=60))
    old = know((entry(), stored(entry(), seen=NOW - timedelta(hours=60))))
    assert isinstance(only(late, old), NewItem)


def test_columns_of_one_title_are_not_one_article():
    """The weather report of today and that of yesterday have other links, other texts and other times."""
    one = entry(
        "Weather forecast for the coast",
        "Rain from the west, up to nine degrees, strong wind at night.",
        "https://example.lv/w/1",
        "w1",
        NOW - timedelta(hours=26),
    )
    two = entry(
        "Weather forecast for the coast",
        "Sunny and calm; frost returns before dawn on Tuesday.",
        "https://example.lv/w/2",
        "w2",
    )
    assert isinstance(only(two, know((one, stored(one)))), NewItem)


def test_live_blogs_stay_one_item():
    """The title changes every hour, the link does not: one item, edited."""
    later = entry("Live: harbour works again, ships wait", "Ten ships wait at anchor.", guid="g1")
    assert only(later) == EditedItem(1, later, ("title", "summary"))


def test_a_reworded_title_under_the_same_guid_is_an_edit():
    """Guid and half of the words agree, though the link was rebuilt from the new title."""
    later = entry("Fire in the port of Ventspils is out, two were hurt", url="https://example.lv/a/fire-two-hurt")
    assert only(later) == EditedItem(1, later, ("title",))


def test_trivial_changes_are_no_edits():
    """White space, punctuation, case, tracking and counters of views change nothing."""
    trivial = entry(
        FIRE.upper() + "!", TEXT.replace(" ", "  ") + " 3 210 views", "https://example.lv/a/fire-1?utm_source=b"
    )
    counted = know((entry(), stored(entry(text=TEXT + " 17 views"))))
    assert isinstance(only(trivial, counted), SameItem)


def test_an_edit_names_what_changed():
    """Title, summary, body and date, each by name; a date alone is no edit."""
    later = entry(FIRE, TEXT + " Two ships are damaged.", at=NOW, body="More.\n\nText.")
    assert only(later) == EditedItem(1, later, ("summary", "body", "published_at"))
    assert isinstance(only(entry(at=NOW)), SameItem)


def test_an_entry_that_repeats_itself_is_no_edit():
    """A sister feed words the item otherwise: its own entry, unchanged, is not an edit back."""
    sister = entry(text="Short.", guid="s1")
    known = know((sister, stored(entry(), sighted_hash=sister.content_hash)))
    assert isinstance(only(sister, known), SameItem)


def test_what_retention_emptied_stays_the_same():
    """An item whose texts were removed is not edited into life again."""
    pruned = stored(entry(), title="", summary="", body="", content_hash="gone")
    assert isinstance(only(entry(), know((entry(), pruned))), SameItem)


def test_twice_in_one_body_is_one_item():
    """A second entry of a new article is a duplicate of the first; of a known one, the same item, whatever it says."""
    one, two = entry(guid="a"), entry(guid="b", url="http://www.example.lv/a/fire-1/")
    assert resolve([one, two], Known(), now=NOW) == (NewItem(one), Duplicate(0, two))
    edited = entry(text="Another text.", guid="b")
    assert resolve([entry(), edited], KNOWN, now=NOW) == (SameItem(1, entry()), SameItem(1, edited))


def test_links_that_several_articles_share_identify_none():
    """A feed whose entries all link to the front page, or to one list, has as many items as titles."""
    for url in ("https://example.lv/", "https://example.lv/list"):
        one, two = entry(url=url, guid="a"), entry(OTHER, OTHER_TEXT, url, "b")
        assert [type(found) for found in resolve([one, two], Known(), now=NOW)] == [NewItem, NewItem]
    one = entry(url="https://example.lv/", guid="a")
    assert isinstance(only(entry(OTHER, OTHER_TEXT, "https://example.lv/", "b"), know((one, stored(one)))), NewItem)


def test_no_link_at_all():
    """Without links the guid holds, and the title within its window."""
    one = entry(url="", guid="a")
    assert isinstance(only(entry(OTHER, OTHER_TEXT, "", "a"), know((one, stored(one)))), SameItem | EditedItem)
    assert isinstance(only(entry(url="", guid="b"), know((one, stored(one)))), SameItem)


titles = st.sampled_from([FIRE, OTHER, "Weather", "Fire in port", ""])
entries = st.builds(
    entry,
    titles,
    st.sampled_from([TEXT, OTHER_TEXT, ""]),
    st.sampled_from(["", "https://example.lv/", "https://example.lv/1", "https://example.lv/2"]),
    st.sampled_from("abc"),
)


@given(st.lists(entries, max_size=8), st.lists(entries, max_size=3))
def test_resolutions_hold_together(items, old):
    """One resolution an entry, in order; duplicates point back to a new item; a second look finds everything known."""
    known = know(*((item, stored(item, number)) for number, item in enumerate(old, 1)))
    found = resolve(items, known, now=NOW)
    assert [one.item for one in found] == items
    for number, one in enumerate(found):
        if isinstance(one, Duplicate):
            assert one.of < number
            assert isinstance(found[one.of], NewItem)
    edits = [one.item_id for one in found if isinstance(one, EditedItem)]
    assert len(edits) == len(set(edits))


@given(entries)
def test_what_was_stored_is_not_new(item):
    """Any entry that was stored is found again as it is."""
    assert isinstance(only(item, know((item, stored(item)))), SameItem)


def test_an_id_that_all_entries_share_identifies_none():
    """Entries under one id with other links are articles of their own, however alike their titles are."""
    days = ("Monday", "Tuesday", "Wednesday")
    items = [
        entry(f"Weather in Riga: forecast for {day}", f"{day} is dry.", f"https://example.lv/w/{day}", "news")
        for day in days
    ]
    assert [type(one) for one in resolve(items, Known(), now=NOW)] == [NewItem] * 3
