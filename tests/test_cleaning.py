"""Texts to show and forms for comparison."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.cleaning import match_summary, match_title, plain, plain_line, title_key, unescape

TITLES = [
    ("Government falls | Delfi", "DELFI", "Government falls"),
    ("Government falls - Delfi.lv", "Delfi", "Government falls"),
    ("Government falls – example.org", "", "Government falls"),
    ("RIGA, Feb 25 (LETA) - Government falls", "", "Government falls"),
    ("(FOTO) Ugunsgrēks ostā", "", "Ugunsgrēks ostā"),
    ("FOTO un VIDEO | Ugunsgrēks ostā", "", "Ugunsgrēks ostā"),
    ("VIDEO: Crash on the ring road", "", "Crash on the ring road"),
    ("Storm hits the coast (VIDEO, FOTO)", "", "Storm hits the coast"),
    ("Ministrs atkāpjas (papildināts)", "", "Ministrs atkāpjas"),
    ("СРОЧНО: в порту пожар", "", "в порту пожар"),
    ("【速報】地震 - 東都新聞", "東都新聞", "地震"),
    ("Delfi: what the minister really said", "Delfi", "what the minister really said"),
    ("Rain expected […]", "", "Rain expected"),
    ("Nāve Venēcijā – kultūra", "Kurzemes Krasts", "Nāve Venēcijā – kultūra"),
    ("Live music returns to town", "", "Live music returns to town"),
    ("Minister: online shops must pay", "", "Minister: online shops must pay"),
    ("Video shows attack", "", "Video shows attack"),
    ("FOTO", "", "FOTO"),
]

SUMMARIES = [
    ("RIGA, Feb 25 (LETA) - The government fell.", "The government fell."),
    ("МОСКВА, 25 фев — РИА Новости. Совет собрался.", "Совет собрался."),
    ("Rīga, 25. febr., LETA. Valdība krita.", "Valdība krita."),
    ("(Reuters) - Shares rose.", "Shares rose."),
    ("NAIROBI, Kenya — At least ten were hurt.", "At least ten were hurt."),
    ("【東京共同】政府は発表した。", "政府は発表した。"),
    ("(서울=연합뉴스) 홍길동 기자 = 정부는 발표했다.", "정부는 발표했다."),
    ("Jānis Krauja (ZZS) - deputāts - iebilst.", "Jānis Krauja (ZZS) - deputāts - iebilst."),
    ("A man, aged 50 - father of two - died.", "A man, aged 50 - father of two - died."),
    ("Three were hurt [...]", "Three were hurt"),
    ("The fire is out. Read more »", "The fire is out."),
    ("The fire is out. The post Fire appeared first on Coast Post.", "The fire is out."),
]


@pytest.mark.parametrize(("title", "outlet", "expected"), TITLES)
def test_titles_lose_what_is_not_news(title, outlet, expected):
    """Markers, outlet suffixes and datelines go; the same words inside a sentence stay."""
    assert match_title(title, outlet) == expected


@pytest.mark.parametrize(("summary", "expected"), SUMMARIES)
def test_summaries_lose_datelines_and_tails(summary, expected):
    """Datelines of many agencies' styles and "read more" tails go; a politician's party in brackets stays."""
    assert match_summary(summary) == expected


def test_title_keys_fold_what_readers_do_not_see():
    """Case, quotes, dashes and markers do not tell two titles apart; a number does."""
    assert title_key("VIDEO: “Storm”  hits – the COAST!") == title_key("Storm hits the coast")
    assert title_key("War, day 2") != title_key("War, day 21")


def test_tricks_are_removed_and_joiners_kept_where_they_are_spelling():
    """Bidi overrides, zero-width spaces and controls go; ZWNJ stays in Persian, ZWJ in Hindi, neither in Latin."""
    assert plain("a\u200bb\u202ec\x1b[31m\u00add\u200ce") == "abc[31mde"
    assert plain("می\u200cخواهم") == "می\u200cخواهم"
    assert plain("क्\u200dष") == "क्\u200dष"


def test_entities_escaped_twice_are_decoded():
    """`&amp;amp;` and friends come out as the character that was meant; a bare ampersand stays."""
    assert unescape("R&amp;amp;D &amp;quot;x&amp;quot; &amp;#8211; AT&T") == 'R&D "x" – AT&T'


@given(st.text(max_size=300))
def test_plain_is_idempotent_nfc_and_printable(text):
    """Cleaned once is clean: NFC, nothing but printable characters and paragraph breaks."""
    cleaned = plain(text)
    assert plain(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not [c for c in cleaned if c != "\n" and unicodedata.category(c) in {"Cc", "Cs"}]
    assert not set(cleaned) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2069\u200b\ufeff")


@given(st.text(max_size=300), st.text(max_size=20))
def test_matching_forms_never_lose_a_whole_title(title, outlet):
    """What has a title to show has one to compare."""
    assert bool(match_title(title, outlet)) == bool(plain_line(title))
    match_summary(title)
    title_key(title, outlet)
