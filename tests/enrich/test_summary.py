"""The one sentence that is taken from an item, and what a story's outlets add to one another."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.enrich.digest import Head, Member, digest, heads, medoid
from aggregator.enrich.summary import MAX_CHARS, one_sentence
from aggregator.enrich.words import numbers

AT = datetime(2026, 2, 25, 6, tzinfo=UTC)
LEAD = "A ferry with 214 people on board ran aground near the harbour of Arvala on Tuesday."

TAKEN = [
    ("the lead", "Ferry aground near Arvala", LEAD + " No one was hurt. The captain blamed fog.", "", LEAD),
    ("without dateline", "Ferry aground near Arvala", "ARVALA, Feb 25 (Reuters) - " + LEAD + " No one was hurt.", "", LEAD),
    ("agency unknown", "Ferry aground near Arvala", "ARVALA (Halcyon) - " + LEAD, "", LEAD),
    ("teaser first", "Ferry aground", "Watch: the moment it happened. " + LEAD, "", LEAD),
    ("subscription first", "Ferry aground", "Sign up for our newsletter to get the news first. " + LEAD, "", LEAD),
    ("Russian subscription", "Паром сел на мель", "Подписывайтесь на наш Telegram. Паром с 214 пассажирами сел на мель у порта во вторник.", "",
     "Паром с 214 пассажирами сел на мель у порта во вторник."),
    ("Latvian teaser", "Prāmis uz sēkļa", "Lasiet arī citas ziņas. Prāmis ar 214 pasažieriem uzskrējis uz sēkļa pie Ventspils ostas.", "",
     "Prāmis ar 214 pasažieriem uzskrējis uz sēkļa pie Ventspils ostas."),
    ("question first", "Ferry aground", "How safe are our ferries? " + LEAD, "", LEAD),
    ("cut-off description", "Ferry aground near Arvala", "A ferry with 214 people on board ran agr…", LEAD + "\n\nNo one was hurt.", LEAD),
    ("read more", "Ferry aground near Arvala", LEAD + " Read more…", "", LEAD),
    ("title repeated", "Ferry with 214 aground near Arvala", "Ferry with 214 aground near Arvala. Tugs pulled it free at 11:40 and took it to the yard in Besnik.", "",
     "Tugs pulled it free at 11:40 and took it to the yard in Besnik."),
    ("Japanese", "フェリーが座礁", "【東京共同】二百十四人が乗ったフェリーが火曜日の朝、港の近くで座礁した。けが人はいない。", "",
     "二百十四人が乗ったフェリーが火曜日の朝、港の近くで座礁した。"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "description", "body", "wanted"), [c[1:] for c in TAKEN], ids=[c[0] for c in TAKEN])
def test_the_sentence_that_says_what_happened(title, description, body, wanted):
    """Datelines, teasers, subscriptions, questions, cut-off texts and repeated titles are passed over."""
    found = one_sentence(title, description, body, "en")
    assert found is not None
    assert found.text == wanted


@pytest.mark.parametrize("text", ["", "Read more", "Photo: A. Berg", "Subscribe to our newsletter!", "…"])
def test_no_sentence_is_better_than_a_wrong_one(text):
    """Where there is nothing but teasers and credits, there is no summary."""
    assert one_sentence("Ferry aground", text, "", "en") is None


def test_a_long_sentence_is_cut_at_a_clause():
    """What is longer than MAX_CHARS ends at a comma with "…", and says that it is not whole."""
    found = one_sentence(
        "x", "It happened at night, " + "when nobody on the quay looked, " * 30 + "as they said.", "", "en"
    )
    assert len(found.text) <= MAX_CHARS
    assert found.text.endswith("looked…")
    assert not found.whole


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=400), st.text(max_size=400))
def test_it_never_makes_a_word_up(description, body):
    """For any text whatever, the sentence is a part of the description or of the body, but for white space and unsafe characters."""
    found = one_sentence("title", description, body, "en")
    if found and found.whole:
        assert (
            set(found.text.split()) <= set(description.split()) | set(body.split())
            or not description.isascii()
            or not body.isascii()
        )


def member(number, outlet, title, summary, minutes=0, **given_):
    """An item of a story."""
    return Member(number, outlet, "en", title, summary, "", AT + timedelta(minutes=minutes), **given_)


FERRY = [
    member(1, 1, "Ferry aground near Arvala", LEAD),
    member(2, 2, "Ferry with 214 people stranded", "A ferry ran aground near Arvala with 214 people on board. Tugs pulled it free at 11:40."),
    member(3, 3, "Arvala ferry: captain blames fog", "The captain of the ferry blamed thick fog. Visibility was below 200 metres, the harbour master said."),
    member(4, 4, "Ferry aground near Arvala", LEAD, reprint=True),
    member(5, 2, "Ferry company shares fall", "Shares of the company fell by 7 percent on Tuesday afternoon."),
]  # fmt: skip


def test_a_digest_tells_what_others_add():
    """Sentences of different outlets, none twice of one, no reprint, none that repeats the head; each names its item."""
    head = heads(FERRY)["en"]
    told = digest(FERRY, head)
    outlets = {m.item_id: m.outlet_id for m in FERRY}
    assert len(told) >= 1
    assert len({outlets[s.item_id] for s in told} | {outlets[head.item_id]}) == len(told) + 1
    assert 4 not in {s.item_id for s in told}
    assert all(s.text in m.summary for s in told for m in FERRY if m.item_id == s.item_id)
    alone = digest(FERRY, Head(1, FERRY[0].title, FERRY[0].summary))
    assert any(numbers(s.text) & {"1140", "200", "7"} for s in alone)
    assert all(LEAD not in s.text for s in alone)


def test_a_digest_does_not_depend_on_the_order():
    """The same items give the same digest however they are listed."""
    assert digest(FERRY, heads(FERRY)["en"]) == digest(FERRY[::-1], heads(FERRY[::-1])["en"])


def test_one_item_has_no_digest():
    """A story of one item, or of its reprints only, adds nothing."""
    assert digest(FERRY[:1], heads(FERRY[:1])["en"]) == []
    assert digest([FERRY[0], FERRY[3]], heads(FERRY[:1])["en"]) == []


def test_the_medoid_is_the_most_central():
    """With vectors the item nearest to the others stands for the story; without, the one that shares most words."""
    near = np.eye(3, dtype=np.float32)[0]
    far = np.eye(3, dtype=np.float32)[1]
    between = (near + 0.4 * far) / np.linalg.norm(near + 0.4 * far)
    items = [member(n, n, f"t{n}", "", n, vector=v) for n, v in enumerate((far, near, between, near), 1)]
    assert medoid(items).item_id == 3
    assert medoid([]) is None
    assert medoid(FERRY).item_id in {1, 2}


def test_vectors_of_two_models_are_not_compared():
    """A story that another model was configured in the middle of: its words choose, as if it had no vectors."""
    bare = [member(n, n, f"Ferry aground near Arvala {n}", LEAD * (n == 2), n) for n in range(1, 5)]
    mixed = [replace(m, vector=np.ones(3 if n else 5, dtype=np.float32)) for n, m in enumerate(bare)]
    assert medoid(mixed).item_id == medoid(bare).item_id


def test_heads_are_per_language_and_own_words_only():
    """Each language has its own head; a machine's translation is never one."""
    items = [
        *FERRY,
        member(6, 6, "Prāmis uz sēkļa", "Prāmis uzskrēja uz sēkļa."),
        member(7, 7, "made up", "By a machine.", machine=True),
    ]
    items[5] = Member(6, 6, "lv", "Prāmis uz sēkļa", "Prāmis ar 214 cilvēkiem uzskrēja uz sēkļa pie Ventspils.", "", AT)
    items[6] = Member(7, 7, "et", "made up", "By a machine.", "", AT, machine=True)
    assert set(heads(items)) == {"en", "lv"}
    assert heads(items)["lv"].summary.startswith("Prāmis ar 214")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("14 000, 14.000 and 14,000", {"14000"}),
        ("٣٥ شخصا", {"35"}),
        ("3万5000人", {"35000"}),
        ("at 3.40 or 3:40", {"340"}),
        ("Day 2 of 21", {"2", "21"}),
    ],
)
def test_numbers_are_the_same_however_written(text, wanted):
    """Groups of thousands, times, digits of other scripts and East Asian units come down to bare digits."""
    assert wanted <= numbers(text)
